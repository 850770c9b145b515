"""Loading the configuration: where values come from, how secrets are named, what is said when a key is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from stream.configuration import find, load, org_of, org_settings, pos_config_from_brand
from stream.contracts import settings as rules
from stream.errors import ConfigurationError
from stream.settings import Configuration, KafkaSettings, OrgConfiguration

EXAMPLE = Path(__file__).parent.parent / "loyalty.example.toml"
SECRETS = {"ALLEAVES_PASSWORD": "p", "ALPINE_IQ_API_KEY": "k", "ALLEAVES_PIN": "1"}
ACCESS = 'username = "u"\npassword = "env:PW"\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "shop.toml"
    file.write_text(text, encoding="utf-8")
    return file


def complaint(folder: Path, text: str, **environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(written(folder, text), environ)
    return str(caught.value)


# Where values come from


def test_nothing_given_is_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}) == Configuration()


def test_a_file_is_looked_for_in_this_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here, named, given = (tmp_path / name for name in ("loyalty.toml", "named.toml", "given.toml"))
    for file in (here, named, given):
        file.touch()
    environ = {"LOYALTY_CONFIG": str(named)}
    assert find(given, environ) == given
    assert find(None, environ) == named
    assert find(None, {}) == Path("loyalty.toml")
    here.unlink()
    assert find(None, {}) is None


@pytest.mark.parametrize(("path", "environ"), [(Path("no.toml"), {}), (None, {"LOYALTY_CONFIG": "no.toml"})])
def test_a_file_that_is_named_must_exist(path: Path | None, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"no configuration file no\.toml"):
        load(path, environ)


@pytest.mark.parametrize(
    ("variable", "value", "read"),
    [
        ("LOYALTY_KAFKA__BOOTSTRAP", "b:9092", lambda c: c.kafka.bootstrap),
        ("LOYALTY_KAFKA__PARTITIONS", 3, lambda c: c.kafka.partitions),
        ("LOYALTY_LOG_LEVEL", "debug", lambda c: c.log_level),
        ("LOYALTY_ORG__0__NAME", "Else", lambda c: c.orgs[0].name),
        ("LOYALTY_ORG__1__ID", "second", lambda c: c.orgs[1].id),
        ("LOYALTY_ORG__0__SETTINGS__EQUITY_MULTIPLIER", Decimal("1.5"), lambda c: c.orgs[0].settings.equity_multiplier),
    ],
)
def test_the_environment_beats_the_file(
    tmp_path: Path, variable: str, value: object, read: Callable[[Configuration], object]
) -> None:
    file = written(tmp_path, '[kafka]\nbootstrap = "a:1"\npartitions = 8\n[[org]]\nid = "first"\nname = "Name"')
    assert read(load(file, {variable: str(value)})) == value


def test_lists_in_the_environment_are_json(tmp_path: Path) -> None:
    file = written(tmp_path, '[[org]]\nid = "a"')
    loaded = load(file, {"LOYALTY_ORG__0__EQUITY__CUSTOMERS": '["1", "2"]'})
    assert loaded.orgs[0].equity.customers == ("1", "2")


def test_variables_that_are_no_keys_are_left_alone(tmp_path: Path) -> None:
    assert load(written(tmp_path, ""), {"LOYALTY_ALLEAVES_PASSWORD": "x"}) == Configuration()


def test_rates_never_pass_through_a_binary_float(tmp_path: Path) -> None:
    text = '[[org]]\nid = "a"\n[org.settings]\nequity_multiplier = 1.2000000000000000001'
    loaded = load(written(tmp_path, text), {})
    assert loaded.orgs[0].settings.equity_multiplier == Decimal("1.2000000000000000001")


# Secrets


def test_a_secret_is_read_from_a_variable_or_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "pin").write_text("1234\n")
    text = f'[[org]]\nid = "a"\n[org.alleaves]\n{ACCESS}pin = "file:pin"'
    access = load(written(tmp_path, text), {"PW": "hunter2"}).orgs[0].alleaves
    assert access is not None
    assert access.pin is not None
    assert (access.password.get_secret_value(), access.pin.get_secret_value()) == ("hunter2", "1234")
    assert "hunter2" not in repr(access)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ('"hunter2"', "a secret is a reference"),
        ("4711", "a secret is a reference"),
        ('"env:"', "a secret is a reference"),
        ('"vault:x"', "a secret is a reference"),
        ('"env:MISSING"', "variable MISSING is not set"),
        ('"env:EMPTY"', "env:EMPTY is empty"),
        ('"file:missing"', "cannot be read: No such file"),
    ],
)
def test_a_secret_that_is_no_good_reference_is_refused(tmp_path: Path, reference: str, said: str) -> None:
    text = f'[[org]]\nid = "a"\n[org.alleaves]\nusername = "u"\npassword = {reference}'
    message = complaint(tmp_path, text, EMPTY="")
    assert "org[0].alleaves.password: " in message
    assert said in message


@pytest.mark.parametrize(
    "line",
    ['password = "hunter2"', 'passwrd = "hunter2"', 'pin = "hunter2"', 'page_size = ["hunter2"]'],
)
def test_what_may_be_a_secret_is_never_printed(tmp_path: Path, line: str) -> None:
    assert "hunter2" not in complaint(tmp_path, f'[[org]]\nid = "a"\n[org.alleaves]\n{line}')


def test_a_secret_in_place_of_a_table_is_never_printed(tmp_path: Path) -> None:
    message = complaint(tmp_path, '[[org]]\nid = "a"\nalleaves = "hunter2"')
    assert "org[0].alleaves: should be a table" in message
    assert "hunter2" not in message


# What is said


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[kafka]\npartitions = 0", "kafka.partitions: 0: should be greater than 0"),
        ('log_level = "loud"', "log_level: 'loud': should be 'debug', 'info', 'warning' or 'error'"),
        ("[kafka]\nbootstrp = 1", "kafka.bootstrp: there is no such key; did you mean bootstrap?"),
        ("zzz = 1", "zzz: there is no such key; allowed here: data_dir, firestore, kafka"),
        ("[[org]]", "org[0].id: is missing"),
        (
            f'[[org]]\nid = "a"\n[org.alleaves]\n{ACCESS}page_size = 5000',
            "org[0].alleaves.page_size: 5000: should be less than or equal to 1000",
        ),
        (
            '[[org]]\nid = "a"\n[org.settings]\nbasis = "net"',
            "org[0].settings.basis: 'net': should be 'total', 'total_less_tax' or 'subtotal'",
        ),
        ('[[org]]\nid = "a"\ntime_zone = "Mars"', "org[0].time_zone: 'Mars': must be an IANA time zone"),
        ('[[org]]\nid = "a"\n[[org]]\nid = "a"', "two orgs have the id 'a'"),
        ('[[org]]\nid = "a"\n[org.settings]\ntiers = []', "org[0].settings: tiers must not be empty"),
        (
            f'[[org]]\nid = "a"\n[org.alleaves]\n{ACCESS}environment = "staging"',
            "org[0].alleaves: environment is 'staging': give its base_url as well",
        ),
        ("kafka = ", "shop.toml is not TOML"),
    ],
)
def test_a_wrong_key_is_named_with_its_value_and_what_is_allowed(tmp_path: Path, text: str, line: str) -> None:
    message = complaint(tmp_path, text, PW="x")
    assert line in message
    assert str(tmp_path / "shop.toml") in message


def test_all_wrong_keys_are_named_at_once(tmp_path: Path) -> None:
    message = complaint(tmp_path, 'log_level = "x"\n[web]\nport = -1\n[[org]]\nid = "A"')
    assert [key for key in ("log_level", "web.port", "org[0].id") if f"  {key}: " in message] == [
        "log_level",
        "web.port",
        "org[0].id",
    ]


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    message = complaint(tmp_path, "", LOYALTY_WEB__PORT="http")
    assert "web.port (from LOYALTY_WEB__PORT): 'http': should be a valid integer" in message


@pytest.mark.parametrize("variable", ["LOYALTY_LOG_LEVEL__X", "LOYALTY_ORG__7__ID"])
def test_a_variable_that_leads_nowhere_is_refused(tmp_path: Path, variable: str) -> None:
    assert variable in complaint(tmp_path, 'log_level = "info"\n[[org]]\nid = "a"', **{variable: "x"})


# Orgs


def test_the_default_rules_are_the_default_settings() -> None:
    assert org_settings(OrgConfiguration(id="a", time_zone="UTC")) == rules.OrgSettings()


def test_every_rule_of_the_file_reaches_the_settings(tmp_path: Path) -> None:
    text = """
    [[org]]
    id = "a"
    mode = "live"
    currency = "CAD"
    time_zone = "America/Toronto"
    [org.equity]
    customers = [7]
    [org.settings]
    pointsPerDollar = 2
    equityMultiplier = 1.5
    rounding = "floor"
    rounding_per = "order"
    basis = "subtotal"
    tolerance_percent = 5
    tolerance_floor_points = 3
    tolerance_cap_points = 400
    case_opens_after = 2
    case_closes_percent = 4
    case_worsens_percent = 50
    case_worsens_points = 20
    settle_seconds = 60
    compare = "expected"
    statuses = { "Picked Up" = "completed", "void" = "pending" }
    tiers = [{ id = "b", name = "B", threshold = 10, color = "#000000" },
             { id = "a", name = "A", threshold = 0, color = "#FFFFFF", benefits = ["tea"] }]
    """
    assert org_settings(load(written(tmp_path, text), {}).orgs[0]) == rules.OrgSettings(
        accruals=(rules.Accrual(Decimal(2), Decimal("1.5")),),
        tiers=(rules.Tier("a", "A", 0, "#FFFFFF", ("tea",)), rules.Tier("b", "B", 10, "#000000")),
        rounding=rules.RoundingMode.FLOOR,
        rounding_per=rules.RoundingPer.ORDER,
        basis=rules.Basis.SUBTOTAL,
        tolerance=rules.Tolerance(Decimal(5), 3, 400),
        cases=rules.CaseRules(2, Decimal(4), Decimal(50), 20),
        compare=rules.Compare.EXPECTED,
        mode=rules.Mode.LIVE,
        currency="CAD",
        time_zone="America/Toronto",
        settle_seconds=60,
        statuses=rules.CAUTIOUS_STATUSES
        | {"picked up": rules.OrderStatus.COMPLETED, "void": rules.OrderStatus.PENDING},
        equity_customers=("7",),
    )


POS_CONFIG = {
    "provider": "alleaves",
    "storeId": "1000",
    "locationId": "1000",
    "username": "u",
    "password": "hunter2",
    "pin": "1234",
    "environment": "production",
}


def test_a_brand_documents_pos_config_is_understood_and_its_other_keys_are_left_alone() -> None:
    access = pos_config_from_brand({"name": "Brand", "posConfig": POS_CONFIG | {"theme": "dark"}})
    assert (access.store_id, access.location_ids, access.username) == ("1000", ("1000",), "u")
    assert access.password == SecretStr("hunter2")
    assert access.pin == SecretStr("1234")


def test_pos_config_may_stand_in_the_file_in_the_same_spelling(tmp_path: Path) -> None:
    text = '[[org]]\nid = "a"\n[org.posConfig]\nstoreId = 1000\nlocationId = 1000\n' + ACCESS
    access = load(written(tmp_path, text), {"PW": "x"}).orgs[0].alleaves
    assert access is not None
    assert (access.store_id, access.location_ids) == ("1000", ("1000",))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "has no posConfig"),
        ({"posConfig": {"password": "hunter2"}}, "posConfig.username: is missing"),
        ({"posConfig": POS_CONFIG | {"password": ["hunter2"]}}, "posConfig.password: "),
        ({"posConfig": POS_CONFIG | {"provider": "other"}}, "posConfig.provider: 'other': should be 'alleaves'"),
    ],
)
def test_a_brand_document_that_cannot_be_used_says_why(document: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        pos_config_from_brand(document)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


ONE, TWO = OrgConfiguration(id="one"), OrgConfiguration(id="two")


@pytest.mark.parametrize(("orgs", "asked", "found"), [((ONE,), None, ONE), ((ONE, TWO), "two", TWO)])
def test_an_org_is_found_by_its_id_or_by_being_the_only_one(
    orgs: tuple[OrgConfiguration, ...], asked: str | None, found: OrgConfiguration
) -> None:
    assert org_of(Configuration(orgs=orgs), asked) is found


@pytest.mark.parametrize(
    ("orgs", "asked", "said"),
    [
        ((ONE, TWO), None, "name one with --org. There are: one, two"),
        ((ONE,), "three", "no org 'three'"),
        ((), None, "no org is configured"),
    ],
)
def test_an_org_that_cannot_be_told_is_asked_for(
    orgs: tuple[OrgConfiguration, ...], asked: str | None, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        org_of(Configuration(orgs=orgs), asked)


def test_a_reference_is_only_resolved_where_references_are_expected() -> None:
    with pytest.raises(ValidationError):
        OrgConfiguration.model_validate({"id": "a", "alleaves": {"username": "u"}})


# The example


def test_the_example_can_be_used_as_it_is() -> None:
    assert load(EXAMPLE, SECRETS).orgs[0].id == "brand_example"


def test_the_example_shows_every_key_with_its_default() -> None:
    text = re.sub(r"^#(?=[a-z_]+ = |\[)", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    table = tomllib.loads(text, parse_float=Decimal)
    shown = Configuration.model_validate(table)
    assert undocumented(shown, table) == []


def undocumented(shown: BaseModel, table: dict[str, Any], at: str = "") -> list[str]:
    """The keys of a section that the example lacks, or shows with another default."""
    wrong = []
    for name, field in type(shown).model_fields.items():
        key, value = "org" if name == "orgs" else name, getattr(shown, name)
        if key not in table:
            wrong.append(f"{at}{key} is missing")
        elif isinstance(value, BaseModel):
            wrong += undocumented(value, table[key], f"{at}{key}.")
        elif not field.is_required() and field.default not in (None, ()) and value != field.default:
            wrong.append(f"{at}{key} is shown as {value!r}, its default is {field.default!r}")
        if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            wrong += undocumented(value[0], table[key][0], f"{at}{key}.")
    return wrong


def test_a_default_that_differs_from_the_example_would_be_noticed() -> None:
    section = KafkaSettings(prefix="other.")
    assert undocumented(section, {"bootstrap": "", "prefix": "other."}) == [
        "prefix is shown as 'other.', its default is 'loyalty.'",
        "partitions is missing",
        "replication is missing",
    ]
