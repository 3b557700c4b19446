"""EN 16931 in UBL 2.1 (CEN/TS 16931-3-2), read and written. Element order is the schema's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from lxml import etree

from engineroom.billing.formats import einvoice as model
from engineroom.billing.formats.binding import (
    AMOUNT,
    CONTENT,
    DAY,
    DECIMAL,
    PRICE_AMOUNT,
    TAX_CURRENCY_AMOUNT,
    VERBATIM,
    Context,
    Field,
    Fixed,
    Flat,
    Group,
    Part,
    read,
    text_at,
    write,
)

INVOICE = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
CREDIT_NOTE = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"
CAC = "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"
CBC = "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2"
PREFIXES: Final = {"cac": CAC, "cbc": CBC}

Table = tuple[Part, ...]

IDENTIFIER: Table = (Field(".", "value"), Field("@schemeID", "scheme"))
ADDRESS: Table = (
    Field("cbc:StreetName", "line1"),
    Field("cbc:AdditionalStreetName", "line2"),
    Field("cbc:CityName", "city"),
    Field("cbc:PostalZone", "post_code"),
    Field("cbc:CountrySubentity", "subdivision"),
    Field("cac:AddressLine/cbc:Line", "line3"),
    Field("cac:Country/cbc:IdentificationCode", "country"),
)

_SEPA = "cbc:ID/@schemeID"
_VAT = "cac:TaxScheme/cbc:ID"


def _party(*, legal_name: bool) -> Table:
    """Seller and buyer are named as they are registered; payee and tax representative have one name."""
    return (
        Group("cbc:EndpointID", "endpoint", model.Identifier, IDENTIFIER, many=False),
        Group(
            "cac:PartyIdentification",
            "identifiers",
            model.Identifier,
            (Field("cbc:ID", "value"), Field("cbc:ID/@schemeID", "scheme")),
            only=((_SEPA, "!SEPA"),),
        ),
        Flat(
            "cac:PartyIdentification",
            (Field("cbc:ID", "creditor_id"), Fixed("cbc:ID/@schemeID")),
            only=((_SEPA, "SEPA"),),
        ),
        Field("cac:PartyName/cbc:Name", "trading_name" if legal_name else "name"),
        Group("cac:PostalAddress", "address", model.Address, ADDRESS, many=False),
        Flat(
            "cac:PartyTaxScheme",
            (Field("cbc:CompanyID", "vat_id"), Fixed(_VAT, "VAT")),
            only=((_VAT, "VAT"),),
        ),
        Flat(
            "cac:PartyTaxScheme",
            (Field("cbc:CompanyID", "tax_registration"), Field(_VAT, "tax_scheme")),
            only=((_VAT, "!VAT"),),
        ),
        Flat(
            "cac:PartyLegalEntity",
            (
                *((Field("cbc:RegistrationName", "name"),) if legal_name else ()),
                Group("cbc:CompanyID", "legal_id", model.Identifier, IDENTIFIER, many=False),
                Field("cbc:CompanyLegalForm", "legal_form"),
            ),
        ),
        Flat(
            "cac:Contact",
            (
                Field("cbc:Name", "contact_name"),
                Field("cbc:Telephone", "contact_phone"),
                Field("cbc:ElectronicMail", "contact_email"),
            ),
        ),
    )


ALLOWANCE: Table = (
    Fixed("cbc:ChargeIndicator"),
    Field("cbc:AllowanceChargeReasonCode", "reason_code"),
    Field("cbc:AllowanceChargeReason", "reason"),
    Field("cbc:MultiplierFactorNumeric", "percent", DECIMAL),
    Field("cbc:Amount", "amount", AMOUNT),
    Field("cbc:BaseAmount", "base", AMOUNT),
    Flat(
        "cac:TaxCategory",
        (Field("cbc:ID", "category"), Field("cbc:Percent", "rate", DECIMAL), Fixed(_VAT, "VAT")),
    ),
)
_CHARGE = "cbc:ChargeIndicator"


def _allowances(name: str, indicator: str) -> Group:
    return Group("cac:AllowanceCharge", name, model.AllowanceCharge, ALLOWANCE, only=((_CHARGE, indicator),))


PAYMENT_MEANS: Table = (
    Field("cbc:PaymentMeansCode", "code"),
    Field("cbc:PaymentMeansCode/@name", "text"),
    Field("cbc:PaymentDueDate", "due", DAY),
    Field("cbc:PaymentID", "remittance"),
    Flat(
        "cac:CardAccount",
        (
            Field("cbc:PrimaryAccountNumberID", "card"),
            Field("cbc:NetworkID", "card_network"),
            Field("cbc:HolderName", "card_holder"),
        ),
    ),
    Flat(
        "cac:PayeeFinancialAccount",
        (
            Field("cbc:ID", "account"),
            Field("cbc:Name", "account_name"),
            Field("cac:FinancialInstitutionBranch/cbc:ID", "institution"),
        ),
    ),
    Flat(
        "cac:PaymentMandate",
        (Field("cbc:ID", "mandate"), Field("cac:PayerFinancialAccount/cbc:ID", "debited_account")),
    ),
)

DELIVERY: Table = (
    Field("cbc:ActualDeliveryDate", "day", DAY),
    Group("cac:DeliveryLocation/cbc:ID", "location", model.Identifier, IDENTIFIER, many=False),
    Group("cac:DeliveryLocation/cac:Address", "address", model.Address, ADDRESS, many=False),
    Field("cac:DeliveryParty/cac:PartyName/cbc:Name", "name"),
)

TAX_SUBTOTAL: Table = (
    Field("cbc:TaxableAmount", "taxable", AMOUNT),
    Field("cbc:TaxAmount", "tax", AMOUNT),
    Flat(
        "cac:TaxCategory",
        (
            Field("cbc:ID", "category"),
            Field("cbc:Percent", "rate", DECIMAL),
            Field("cbc:TaxExemptionReasonCode", "reason_code"),
            Field("cbc:TaxExemptionReason", "reason"),
            Fixed(_VAT, "VAT"),
        ),
    ),
)

TOTALS: Table = (
    Field("cbc:LineExtensionAmount", "lines", AMOUNT),
    Field("cbc:TaxExclusiveAmount", "net", AMOUNT),
    Field("cbc:TaxInclusiveAmount", "gross", AMOUNT),
    Field("cbc:AllowanceTotalAmount", "allowances", AMOUNT),
    Field("cbc:ChargeTotalAmount", "charges", AMOUNT),
    Field("cbc:PrepaidAmount", "paid", AMOUNT),
    Field("cbc:PayableRoundingAmount", "rounding", AMOUNT),
    Field("cbc:PayableAmount", "payable", AMOUNT),
)

SUPPORTING: Table = (
    Field("cbc:ID", "reference"),
    Field("cbc:DocumentDescription", "description"),
    Field("cac:Attachment/cbc:EmbeddedDocumentBinaryObject", "content", CONTENT),
    Field("cac:Attachment/cbc:EmbeddedDocumentBinaryObject/@mimeCode", "media_type"),
    Field("cac:Attachment/cbc:EmbeddedDocumentBinaryObject/@filename", "file_name"),
    Field("cac:Attachment/cac:ExternalReference/cbc:URI", "address"),
)
_TYPE = "cbc:DocumentTypeCode"


ITEM: Table = (
    Field("cbc:Description", "description"),
    Field("cbc:Name", "name"),
    Field("cac:BuyersItemIdentification/cbc:ID", "buyer_item"),
    Field("cac:SellersItemIdentification/cbc:ID", "seller_item"),
    Group("cac:StandardItemIdentification/cbc:ID", "standard_item", model.Identifier, IDENTIFIER, many=False),
    Field("cac:OriginCountry/cbc:IdentificationCode", "origin"),
    Group(
        "cac:CommodityClassification",
        "classifications",
        model.Identifier,
        (
            Field("cbc:ItemClassificationCode", "value"),
            Field("cbc:ItemClassificationCode/@listID", "scheme"),
            Field("cbc:ItemClassificationCode/@listVersionID", "version"),
        ),
    ),
    Flat(
        "cac:ClassifiedTaxCategory",
        (Field("cbc:ID", "category"), Field("cbc:Percent", "rate", DECIMAL), Fixed(_VAT, "VAT")),
    ),
    Group(
        "cac:AdditionalItemProperty",
        "attributes",
        model.ItemAttribute,
        (Field("cbc:Name", "name"), Field("cbc:Value", "value")),
    ),
)

PRICE: Table = (
    Field("cbc:PriceAmount", "price", PRICE_AMOUNT),
    Field("cbc:BaseQuantity", "base_quantity", DECIMAL),
    Field("cbc:BaseQuantity/@unitCode", "base_unit"),
    Flat(
        "cac:AllowanceCharge",
        (
            Fixed(_CHARGE, "false"),
            Field("cbc:Amount", "price_discount", PRICE_AMOUNT),
            Field("cbc:BaseAmount", "gross_price", PRICE_AMOUNT),
        ),
    ),
)


def _line(quantity: str) -> Table:
    return (
        Field("cbc:ID", "id"),
        Field("cbc:Note", "note"),
        Field(quantity, "quantity", DECIMAL),
        Field(f"{quantity}/@unitCode", "unit"),
        Field("cbc:LineExtensionAmount", "net", AMOUNT),
        Field("cbc:AccountingCost", "accounting_reference"),
        Field("cac:InvoicePeriod/cbc:StartDate", "period_start", DAY),
        Field("cac:InvoicePeriod/cbc:EndDate", "period_end", DAY),
        Field("cac:OrderLineReference/cbc:LineID", "order_line"),
        Group(
            "cac:DocumentReference",
            "object_id",
            model.Identifier,
            (Field("cbc:ID", "value"), Field("cbc:ID/@schemeID", "scheme"), Fixed(_TYPE, "130")),
            many=False,
        ),
        _allowances("allowances", "false"),
        _allowances("charges", "true"),
        Flat("cac:Item", ITEM),
        Flat("cac:Price", PRICE),
    )


def _is_in_invoice_currency(element: etree._Element, context: Context) -> bool:
    """Of two totals of VAT the one with the breakdown is the invoice's; the other is in the tax currency."""
    said = text_at(element, "cbc:TaxAmount/@currencyID", PREFIXES)
    return bool(len(element) > 1 or not context.currency or said in (context.currency, ""))


def _is_in_tax_currency(element: etree._Element, context: Context) -> bool:
    said = text_at(element, "cbc:TaxAmount/@currencyID", PREFIXES)
    return (
        len(element) == 1 and bool(context.tax_currency) and said == context.tax_currency != context.currency
    )


def _document(*, credit_note: bool) -> Table:
    """Invoice and credit note differ in names, in where two fields stand, and in what has no field."""
    invoice = not credit_note
    reference = "cac:AdditionalDocumentReference"
    originator = Field("cac:OriginatorDocumentReference/cbc:ID", "tender")
    contract = Field("cac:ContractDocumentReference/cbc:ID", "contract")
    additional: Table = (
        Group(
            reference,
            "invoiced_object",
            model.Identifier,
            (Field("cbc:ID", "value"), Field("cbc:ID/@schemeID", "scheme"), Fixed(_TYPE, "130")),
            only=((_TYPE, "130"),),
            many=False,
        ),
        Group(
            reference,
            "supporting",
            model.SupportingDocument,
            SUPPORTING,
            only=((_TYPE, "!130|50" if credit_note else "!130"),),
        ),
    )
    project: Table = (Field("cac:ProjectReference/cbc:ID", "project"),)
    if credit_note:
        project = (Flat(reference, (Field("cbc:ID", "project"), Fixed(_TYPE, "50")), only=((_TYPE, "50"),)),)
    type_code = Field("cbc:CreditNoteTypeCode" if credit_note else "cbc:InvoiceTypeCode", "type_code")
    notes = Group("cbc:Note", "notes", model.Note, (Field(".", "text", VERBATIM),))
    tax_point = Field("cbc:TaxPointDate", "tax_point", DAY)
    return (
        Field("cbc:CustomizationID", "customization"),
        Field("cbc:ProfileID", "profile"),
        Field("cbc:ID", "number"),
        Field("cbc:IssueDate", "issue_date", DAY),
        *((Field("cbc:DueDate", "due", DAY), type_code, notes, tax_point) if invoice else ()),
        *((tax_point, type_code, notes) if credit_note else ()),
        Field("cbc:DocumentCurrencyCode", "currency"),
        Field("cbc:TaxCurrencyCode", "tax_currency"),
        Field("cbc:AccountingCost", "accounting_reference"),
        Field("cbc:BuyerReference", "buyer_reference"),
        Field("cac:InvoicePeriod/cbc:StartDate", "period_start", DAY),
        Field("cac:InvoicePeriod/cbc:EndDate", "period_end", DAY),
        Field("cac:InvoicePeriod/cbc:DescriptionCode", "tax_point_code"),
        Field("cac:OrderReference/cbc:ID", "purchase_order"),
        Field("cac:OrderReference/cbc:SalesOrderID", "sales_order"),
        Group(
            "cac:BillingReference",
            "preceding",
            model.PrecedingInvoice,
            (
                Field("cac:InvoiceDocumentReference/cbc:ID", "number"),
                Field("cac:InvoiceDocumentReference/cbc:IssueDate", "issue_date", DAY),
            ),
        ),
        Field("cac:DespatchDocumentReference/cbc:ID", "despatch_advice"),
        Field("cac:ReceiptDocumentReference/cbc:ID", "receiving_advice"),
        *(
            (originator, contract, *additional, *project)
            if invoice
            else (contract, *additional, *project, originator)
        ),
        Group(
            "cac:AccountingSupplierParty/cac:Party",
            "seller",
            model.Party,
            _party(legal_name=True),
            many=False,
        ),
        Group(
            "cac:AccountingCustomerParty/cac:Party", "buyer", model.Party, _party(legal_name=True), many=False
        ),
        Group("cac:PayeeParty", "payee", model.Party, _party(legal_name=False), many=False),
        Group(
            "cac:TaxRepresentativeParty",
            "tax_representative",
            model.Party,
            _party(legal_name=False),
            many=False,
        ),
        Group("cac:Delivery", "delivery", model.Delivery, DELIVERY, many=False),
        Group("cac:PaymentMeans", "payment_means", model.PaymentMeans, PAYMENT_MEANS),
        Field("cac:PaymentTerms/cbc:Note", "payment_terms", VERBATIM),
        _allowances("allowances", "false"),
        _allowances("charges", "true"),
        Group(
            "cac:TaxTotal",
            "tax",
            model.TaxTotal,
            (
                Field("cbc:TaxAmount", "tax", AMOUNT),
                Group("cac:TaxSubtotal", "breakdown", model.TaxBreakdown, TAX_SUBTOTAL),
            ),
            many=False,
            pick=_is_in_invoice_currency,
        ),
        Group(
            "cac:TaxTotal",
            "tax_in_tax_currency",
            model.TaxInTaxCurrency,
            (Field("cbc:TaxAmount", "tax", TAX_CURRENCY_AMOUNT),),
            many=False,
            pick=_is_in_tax_currency,
        ),
        Group("cac:LegalMonetaryTotal", "totals", model.Totals, TOTALS, many=False),
        Group(
            "cac:CreditNoteLine" if credit_note else "cac:InvoiceLine",
            "lines",
            model.Line,
            _line("cbc:CreditedQuantity" if credit_note else "cbc:InvoicedQuantity"),
        ),
    )


NO_SCHEME = "TAX"
"""What a registration for another tax than VAT (BT-32) is of, where that is not said: UBL has it anyway."""

DOCUMENTS: Final = {INVOICE: _document(credit_note=False), CREDIT_NOTE: _document(credit_note=True)}


def read_document(root: etree._Element) -> tuple[model.Invoice, list[model.Finding]]:
    """What a UBL Invoice or CreditNote says, and the values in it that nobody can read."""
    context = Context(
        PREFIXES,
        currency=text_at(root, "cbc:DocumentCurrencyCode", PREFIXES),
        tax_currency=text_at(root, "cbc:TaxCurrencyCode", PREFIXES),
    )
    table = DOCUMENTS[etree.QName(root).namespace or ""]
    invoice: model.Invoice = read(root, model.Invoice, table, context)
    notes = tuple(_note_read(note.text) for note in invoice.notes)
    due = invoice.due or next((means.due for means in invoice.payment_means if means.due), None)
    means = tuple(replace(each, due=None) for each in invoice.payment_means)
    return replace(invoice, notes=notes, due=due, payment_means=means), context.findings


def write_document(invoice: model.Invoice) -> bytes:
    """The invoice as UBL 2.1: a CreditNote where its type code is one of a credit note."""
    namespace = CREDIT_NOTE if invoice.is_credit_note else INVOICE
    name = "CreditNote" if invoice.is_credit_note else "Invoice"
    prefixes: Any = {None: namespace, **PREFIXES}
    root = etree.Element(f"{{{namespace}}}{name}", nsmap=prefixes)
    context = Context(PREFIXES, invoice.currency, invoice.tax_currency)
    write(root, _for_ubl(invoice), DOCUMENTS[namespace], context)
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _for_ubl(invoice: model.Invoice) -> model.Invoice:
    """UBL has the subject of a note inside its text, and the due date of a credit note in its payment
    means.
    """
    notes = tuple(
        model.Note(text=f"#{note.subject_code}#{note.text}" if note.subject_code else note.text)
        for note in invoice.notes
    )
    means = invoice.payment_means
    if invoice.is_credit_note and invoice.due is not None:
        first = means[0] if means else model.PaymentMeans(code="1")  # UNTDID 4461: not defined
        means = (replace(first, due=invoice.due), *means[1:])
    seller = invoice.seller
    if seller is not None and seller.tax_registration and not seller.tax_scheme:
        seller = replace(seller, tax_scheme=NO_SCHEME)
    return replace(invoice, notes=notes, payment_means=means, seller=seller)


def _note_read(text: str) -> model.Note:
    """#AAI#text is a note with its subject (UNTDID 4451), as the EN's UBL syntax binding writes BT-21."""
    parts = text.split("#", 2)
    if len(parts) == 3 and not parts[0] and len(parts[1]) == 3 and parts[1].isalnum():
        return model.Note(text=parts[2], subject_code=parts[1])
    return model.Note(text=text)
