"""The bench of each registered sink.

The suite in `test_sinks.py` and `test_sinks_in_trouble.py` runs every case on every registered
sink but for the few that its bench calls inapplicable, each with its reason.
"""

from collections.abc import Mapping
from importlib.metadata import entry_points

from core.plugins import Family
from tests.conformance.aws_bench import AwsBench, ParameterStoreBench
from tests.conformance.azure_bench import AzureBench
from tests.conformance.built_in_bench import BuiltInBench
from tests.conformance.file_bench import FileBench
from tests.conformance.generic_bench import GenericBench
from tests.conformance.github_bench import GitHubBench
from tests.conformance.gitlab_bench import GitLabBench
from tests.conformance.google_bench import GoogleBench
from tests.conformance.kubernetes_bench import KubernetesBench
from tests.conformance.plugin_benches import benches_of_plugins
from tests.conformance.sink_bench import Bench
from tests.conformance.vault_bench import VaultBench

BENCHES: Mapping[str, type[Bench]] = {
    bench.kind: bench
    for bench in (
        FileBench,
        BuiltInBench,
        VaultBench,
        AwsBench,
        ParameterStoreBench,
        GenericBench,
        AzureBench,
        KubernetesBench,
        GitHubBench,
        GitLabBench,
        GoogleBench,
        *benches_of_plugins(),
    )
}


def registered() -> list[str]:
    """Every kind of sink that is installed, but for those of the tests themselves."""
    points = entry_points(group=Family.SINK.entry_point_group)
    return sorted(it.name for it in points if it.dist and it.dist.name != "keyturn-test-plugins")
