import pytest

from engineroom.payroll.engine.gb.tax_codes import (
    TaxCode,
    TaxCodeRefused,
    parse_tax_code,
    tax_code_at,
    tax_code_columns,
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1257L", TaxCode("ruk", "allowance", 1257, "L")),
        ("S1257L", TaxCode("scotland", "allowance", 1257, "L")),
        ("C1257L", TaxCode("wales", "allowance", 1257, "L")),
        ("1383M", TaxCode("ruk", "allowance", 1383, "M")),
        ("1131N", TaxCode("ruk", "allowance", 1131, "N")),
        ("S500T", TaxCode("scotland", "allowance", 500, "T")),
        ("0T", TaxCode("ruk", "allowance", 0, "T")),
        ("S0T", TaxCode("scotland", "allowance", 0, "T")),
        ("C0T", TaxCode("wales", "allowance", 0, "T")),
        ("K475", TaxCode("ruk", "k", 475)),
        ("SK475", TaxCode("scotland", "k", 475)),
        ("CK475", TaxCode("wales", "k", 475)),
        ("BR", TaxCode("ruk", "flat", 0)),
        ("SBR", TaxCode("scotland", "flat", 0)),
        ("CBR", TaxCode("wales", "flat", 0)),
        ("D0", TaxCode("ruk", "flat", 1)),
        ("CD1", TaxCode("wales", "flat", 2)),
        ("SD0", TaxCode("scotland", "flat", 1)),
        ("SD3", TaxCode("scotland", "flat", 4)),
        ("NT", TaxCode("ruk", "no_tax", 0)),
        ("1257L W1", TaxCode("ruk", "allowance", 1257, "L", True)),
        ("1257L M1", TaxCode("ruk", "allowance", 1257, "L", True)),
        ("1257LW1/M1", TaxCode("ruk", "allowance", 1257, "L", True)),
        ("1257l x", TaxCode("ruk", "allowance", 1257, "L", True)),
        ("K475 X", TaxCode("ruk", "k", 475, "", True)),
        ("SD2M1", TaxCode("scotland", "flat", 3, "", True)),
        ("1383MM1", TaxCode("ruk", "allowance", 1383, "M", True)),
        (" 0T W1 ", TaxCode("ruk", "allowance", 0, "T", True)),
    ],
)
def test_a_tax_code_is_read_as_issued(text, code):
    assert parse_tax_code(text) == code
    assert parse_tax_code(str(code)) == code


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "nothing is written"),
        ("  ", "nothing is written"),
        ("K0", "nought"),
        ("SK0", "nought"),
        ("K000", "nought"),
        ("0L", "Enter 0T"),
        ("00T", "Enter 0T"),
        ("01257L", "leading noughts"),
        ("1257", "none of the forms"),
        ("1257P", "not P"),
        ("1257Y", "not Y"),
        ("L1257", "none of the forms"),
        ("D2", "Enter SD2"),
        ("CD3", "only for Scottish"),
        ("D4", "D0 to D3"),
        ("SD8", "D0 to D3"),
        ("SNT", "Enter NT"),
        ("CNT", "Enter NT"),
        ("B", "none of the forms"),
        ("K", "none of the forms"),
        ("SC1257L", "none of the forms"),
        ("1257L W2", "none of the forms"),
        ("1234567L", "more than six"),
        ("١٢٥٧L", "none of the forms"),
        ("9" * 5000 + "L", "more than six"),
    ],
)
def test_an_impossible_code_is_refused_with_what_is_wrong_and_what_to_do(text, says):
    with pytest.raises(TaxCodeRefused) as refused:
        parse_tax_code(text)
    assert says in f"{refused.value.problem}. {refused.value.remedy}"
    assert refused.value.remedy.startswith(("Enter", "Leave"))
    assert len(str(refused.value)) < 250


def test_codes_as_columns_read_back_as_the_same_codes():
    texts = ["1257L", "SK475", "NT", "C1257L X", "SBR", "1257L", "0T"]
    columns, refused = tax_code_columns(texts)
    assert refused == {}
    assert [tax_code_at(columns, i) for i in range(len(texts))] == [parse_tax_code(t) for t in texts]


def test_refused_codes_are_named_once_and_the_others_still_read():
    columns, refused = tax_code_columns(["K0", "1257L", "K0"])
    assert list(refused) == ["K0"]
    assert columns["tax_code_number"].tolist() == [0, 1257, 0]


def test_no_codes_make_empty_columns():
    columns, refused = tax_code_columns([])
    assert refused == {}
    assert {len(column) for column in columns.values()} == {0}
