from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from console.listing import Listing


def listing(query: str) -> Listing:
    request = SimpleNamespace(
        query_params=QueryParams(query), url=SimpleNamespace(path="/virtual-accounts")
    )
    return Listing.of(request, ("name", "next"), ("status",))


def test_a_list_is_where_its_address_says():
    view = listing("q=bot&sort=-next&offset=50&status=paused")

    assert (view.search, view.sort, view.is_descending, view.offset) == ("bot", "next", True, 50)
    assert view.filters == {"status": "paused"}
    assert view.is_narrowed


def test_what_an_address_says_wrongly_is_left_out():
    view = listing("sort=evil&offset=-3")

    assert (view.sort, view.is_descending, view.offset) == ("name", False, 0)
    assert not view.is_narrowed


def test_sorting_again_turns_it_round_and_begins_anew():
    view = listing("q=bot&offset=50&sort=next")

    assert view.sorted_by("next") == "/virtual-accounts?q=bot&sort=-next"
    assert view.sorted_by("name") == "/virtual-accounts?q=bot&sort=name"


def test_the_next_page_keeps_all_the_rest():
    view = listing("q=a%26b&sort=-name&status=paused")

    assert view.page_at(50) == "/virtual-accounts?q=a%26b&status=paused&sort=-name&offset=50"
    assert view.with_filter("status", "") == "/virtual-accounts?q=a%26b&sort=-name"


@given(st.text(), st.text(), st.text())
def test_no_address_breaks_a_list(search, sort, offset):
    view = listing(str(QueryParams({"q": search, "sort": sort, "offset": offset})))

    assert view.offset >= 0
    assert view.page_at(view.offset).startswith("/virtual-accounts")
