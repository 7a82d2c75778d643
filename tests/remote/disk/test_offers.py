"""When a run does not fit, the command that makes room is named, with what it would free."""

from __future__ import annotations

from sovdeck.remote.disk.items import DiskItem, choose
from sovdeck.remote.disk.offers import make_offers

GB = 1 << 30
ITEMS = (
    DiskItem("states", "logs/Mei/states", 4 * GB, 1, "resume"),
    DiskItem("states", "logs/Old one/states_v2Pro", 3 * GB, 1, "resume"),
    DiskItem("states", "logs/Busy/states", 5 * GB, 1, "resume", used_by="r2"),
    DiskItem("features", "logs/Mei/4-cnhubert", GB, 1, "safe"),
    DiskItem("features", "logs/Old one/4-cnhubert", 2 * GB, 1, "safe"),
    DiskItem("packs", "packs/Old one.zip", GB // 2, 1, "safe"),
    DiskItem("weights", "GPT_weights/Old one", 9 * GB, 1, "only_copy"),
    DiskItem("code", "code/abc", GB // 4, 1, "safe"),
    DiskItem("halves", "pretrained/v2/.a.part", GB // 8, 1, "resume"),
)


def test_what_costs_nothing_comes_first_and_nothing_of_the_voice_itself() -> None:
    safe, resume = make_offers(ITEMS, "Mei")
    assert safe.words == ("logs/Old one/4-cnhubert", "packs", "code")
    assert safe.bytes == 2 * GB + GB // 2 + GB // 4
    assert resume.words == ("logs/Old one/states_v2Pro", "halves")
    assert "sovdeck clean box --remove 'logs/Old one/4-cnhubert' packs code" in (
        safe.sentence("box").en
    )
    assert "3.0 GB" in safe.sentence("box").en


def test_the_words_choose_just_what_was_offered() -> None:
    for voice in ("Mei", "Old one", "New"):
        for offer in make_offers(ITEMS, voice):
            chosen, unknown = choose(ITEMS, offer.words, [])
            assert set(chosen) == set(offer.items) and not unknown


def test_many_small_things_do_not_make_an_endless_command() -> None:
    many = [DiskItem("features", f"logs/V{n}/3-bert", n, 1, "safe") for n in range(100)]
    (offer,) = make_offers(many, "V3")
    assert len(offer.words) == 12 and offer.words[0] == "logs/V99/3-bert"
    assert make_offers((), "Mei") == ()
