"""The semantic model of EN 16931-1 as one record. Each field names its business term (BT) or group (BG).

Amounts are whole hundredths of the invoice's currency, whatever that is: the standard allows two decimals
in an amount and no more (BR-DEC-*). Prices, quantities and percentages are Decimal, as written. What is
absent is "" for text, None for the rest, () for a group that repeats: a record says what an invoice says,
right or wrong, and `arithmetic` says what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal, NamedTuple

Hundredths = int

CREDIT_NOTE_TYPES = frozenset({"81", "83", "381", "396", "532"})
"""UNTDID 1001 codes that UBL writes as a CreditNote (Peppol BIS Billing 3, Credit note type codes)."""

PEPPOL_CUSTOMIZATION = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
PEPPOL_PROFILE = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
PEPPOL_SELF_BILLING_CUSTOMIZATION = (
    "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:selfbilling:3.0"
)


class Finding(NamedTuple):
    """What is wrong with an invoice: a rule's id and text, and where. said, should: the figures, where
    ours.
    """

    rule: str
    severity: Literal["fatal", "warning"]
    text: str
    where: str = ""
    said: str = ""
    should: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """BG-1: text BT-22, subject_code BT-21."""

    text: str = ""
    subject_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """An identifier and the list it is from (BT-29, BT-46, BT-60, BT-158 and others)."""

    value: str = ""
    scheme: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecedingInvoice:
    """BG-3: number BT-25, issue_date BT-26."""

    number: str = ""
    issue_date: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportingDocument:
    """BG-24: reference BT-122, description BT-123, address BT-124, content BT-125 with media type and
    name.
    """

    reference: str = ""
    description: str = ""
    address: str = ""
    content: bytes | None = None
    media_type: str = ""
    file_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """BG-5, BG-8, BG-12, BG-15: lines BT-35/36/162, city BT-37, post code BT-38, subdivision BT-39, country
    BT-40 (of the seller; the others alike).
    """

    line1: str = ""
    line2: str = ""
    line3: str = ""
    city: str = ""
    post_code: str = ""
    subdivision: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """BG-4 seller, BG-7 buyer, BG-10 payee, BG-11 tax representative.

    name BT-27/44/59/62 (the registered name; of payee and representative the only one), trading_name
    BT-28/45, identifiers BT-29/46/60, legal_id BT-30/47/61, vat_id BT-31/48/63, tax_registration BT-32
    (tax_scheme: of what, in UBL), legal_form BT-33, endpoint BT-34/49, creditor_id BT-90, contact BG-6/9
    (BT-41 to BT-43, BT-56 to BT-58).
    """

    name: str = ""
    trading_name: str = ""
    identifiers: tuple[Identifier, ...] = ()
    creditor_id: str = ""
    legal_id: Identifier | None = None
    vat_id: str = ""
    tax_registration: str = ""
    tax_scheme: str = ""
    legal_form: str = ""
    endpoint: Identifier | None = None
    address: Address | None = None
    contact_name: str = ""
    contact_phone: str = ""
    contact_email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """BG-13: name BT-70, location BT-71, day BT-72, address BG-15."""

    name: str = ""
    location: Identifier | None = None
    day: date | None = None
    address: Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMeans:
    """BG-16: code BT-81, text BT-82, remittance BT-83, account BT-84, account_name BT-85, institution
    BT-86, card BT-87 and its holder BT-88 (its network is UBL's own), mandate BT-89, debited_account
    BT-91.
    """

    code: str = ""
    text: str = ""
    remittance: str = ""
    account: str = ""
    account_name: str = ""
    institution: str = ""
    card: str = ""
    card_network: str = ""
    card_holder: str = ""
    mandate: str = ""
    debited_account: str = ""
    due: date | None = None
    """Of a UBL credit note alone, on the way in and out: the record keeps it as the invoice's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceCharge:
    """BG-20, BG-21 of the invoice; BG-27, BG-28 of a line, which have no VAT of their own.

    amount BT-92/99/136/141, base BT-93/100/137/142, percent BT-94/101/138/143, category BT-95/102, rate
    BT-96/103, reason BT-97/104/139/144, reason_code BT-98/105/140/145.
    """

    amount: Hundredths | None = None
    base: Hundredths | None = None
    percent: Decimal | None = None
    category: str = ""
    rate: Decimal | None = None
    reason: str = ""
    reason_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """BG-22: lines BT-106, allowances BT-107, charges BT-108, net BT-109, gross BT-112, paid BT-113, rounding
    BT-114, payable BT-115.
    """

    lines: Hundredths | None = None
    net: Hundredths | None = None
    gross: Hundredths | None = None
    allowances: Hundredths | None = None
    charges: Hundredths | None = None
    paid: Hundredths | None = None
    rounding: Hundredths | None = None
    payable: Hundredths | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxBreakdown:
    """BG-23: taxable BT-116, tax BT-117, category BT-118, rate BT-119, reason BT-120, reason_code BT-121."""

    taxable: Hundredths | None = None
    tax: Hundredths | None = None
    category: str = ""
    rate: Decimal | None = None
    reason: str = ""
    reason_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxTotal:
    """tax BT-110 with its breakdown BG-23."""

    tax: Hundredths | None = None
    breakdown: tuple[TaxBreakdown, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxInTaxCurrency:
    """BT-111: what the VAT is in the tax currency."""

    tax: Hundredths | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemAttribute:
    """BG-32: name BT-160, value BT-161."""

    name: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """BG-25.

    id BT-126, note BT-127, object_id BT-128, quantity BT-129 in unit BT-130, net BT-131, order_line BT-132,
    accounting_reference BT-133, period BG-26 (BT-134, BT-135), allowances BG-27, charges BG-28, price
    BG-29 (net price BT-146, discount BT-147, gross price BT-148, for base_quantity BT-149 in base_unit
    BT-150), VAT BG-30 (category BT-151, rate BT-152), item BG-31 (name BT-153, description BT-154,
    identifiers BT-155 to BT-157, classifications BT-158, origin BT-159, attributes BG-32).
    """

    id: str = ""
    note: str = ""
    object_id: Identifier | None = None
    quantity: Decimal | None = None
    unit: str = ""
    net: Hundredths | None = None
    order_line: str = ""
    accounting_reference: str = ""
    period_start: date | None = None
    period_end: date | None = None
    allowances: tuple[AllowanceCharge, ...] = ()
    charges: tuple[AllowanceCharge, ...] = ()
    price: Decimal | None = None
    price_discount: Decimal | None = None
    gross_price: Decimal | None = None
    base_quantity: Decimal | None = None
    base_unit: str = ""
    category: str = ""
    rate: Decimal | None = None
    name: str = ""
    description: str = ""
    seller_item: str = ""
    buyer_item: str = ""
    standard_item: Identifier | None = None
    classifications: tuple[Identifier, ...] = ()
    origin: str = ""
    attributes: tuple[ItemAttribute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice or credit note.

    number BT-1, issue_date BT-2, type_code BT-3 (380 invoice, 381 credit note, 384 corrected, 389
    self-billed), currency BT-5, tax_currency BT-6, tax_point BT-7, tax_point_code BT-8 (UNTDID 2005), due
    BT-9, buyer_reference BT-10, project BT-11, contract BT-12, purchase_order BT-13, sales_order BT-14,
    receiving_advice BT-15, despatch_advice BT-16, tender BT-17, invoiced_object BT-18,
    accounting_reference BT-19, payment_terms BT-20, notes BG-1, profile BT-23, customization BT-24,
    preceding BG-3, parties BG-4, BG-7, BG-10, BG-11, delivery BG-13, period BG-14 (BT-73, BT-74),
    payment_means BG-16 and BG-19, allowances BG-20, charges BG-21, totals BG-22, tax BT-110 with BG-23,
    tax_in_tax_currency BT-111, supporting BG-24, lines BG-25.
    """

    customization: str = ""
    profile: str = ""
    number: str = ""
    issue_date: date | None = None
    due: date | None = None
    type_code: str = ""
    notes: tuple[Note, ...] = ()
    tax_point: date | None = None
    tax_point_code: str = ""
    currency: str = ""
    tax_currency: str = ""
    accounting_reference: str = ""
    buyer_reference: str = ""
    period_start: date | None = None
    period_end: date | None = None
    purchase_order: str = ""
    sales_order: str = ""
    preceding: tuple[PrecedingInvoice, ...] = ()
    despatch_advice: str = ""
    receiving_advice: str = ""
    tender: str = ""
    contract: str = ""
    invoiced_object: Identifier | None = None
    project: str = ""
    supporting: tuple[SupportingDocument, ...] = ()
    seller: Party | None = None
    buyer: Party | None = None
    payee: Party | None = None
    tax_representative: Party | None = None
    delivery: Delivery | None = None
    payment_means: tuple[PaymentMeans, ...] = ()
    payment_terms: str = ""
    allowances: tuple[AllowanceCharge, ...] = ()
    charges: tuple[AllowanceCharge, ...] = ()
    tax: TaxTotal | None = None
    tax_in_tax_currency: TaxInTaxCurrency | None = None
    totals: Totals | None = None
    lines: tuple[Line, ...] = ()

    @property
    def is_credit_note(self) -> bool:
        return self.type_code in CREDIT_NOTE_TYPES
