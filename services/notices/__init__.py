"""Who is told of what: targets, reminders, stand-ins, acknowledgement, leaks."""
