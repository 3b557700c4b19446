"""EN 16931 in UN/CEFACT's Cross Industry Invoice D16B (CEN/TS 16931-3-3), read. XRechnung, ZUGFeRD and
Factur-X come in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from lxml import etree

from engineroom.billing.formats import einvoice as model
from engineroom.billing.formats.binding import (
    AMOUNT,
    CONTENT,
    DAY_102,
    DECIMAL,
    PRICE_AMOUNT,
    TAX_CURRENCY_AMOUNT,
    VERBATIM,
    Context,
    Field,
    Flat,
    Group,
    Part,
    find_all,
    read,
    text_at,
)

CII = "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100"
PREFIXES: Final = {
    "rsm": CII,
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
    "qdt": "urn:un:unece:uncefact:data:standard:QualifiedDataType:100",
}

TAX_POINT_CODES = {"5": "3", "29": "35", "72": "432"}
"""CII dates VAT by UNTDID 2475, the semantic model by UNTDID 2005 (EN 16931-1, BT-8)."""

Table = tuple[Part, ...]

IDENTIFIER: Table = (Field(".", "value"), Field("@schemeID", "scheme"))
_DAY = "udt:DateTimeString"

PERIOD: Table = (
    Field(f"ram:StartDateTime/{_DAY}", "period_start", DAY_102),
    Field(f"ram:EndDateTime/{_DAY}", "period_end", DAY_102),
)

ADDRESS: Table = (
    Field("ram:PostcodeCode", "post_code"),
    Field("ram:LineOne", "line1"),
    Field("ram:LineTwo", "line2"),
    Field("ram:LineThree", "line3"),
    Field("ram:CityName", "city"),
    Field("ram:CountryID", "country"),
    Field("ram:CountrySubDivisionName", "subdivision"),
)

PARTY: Table = (
    Group("ram:ID", "identifiers", model.Identifier, IDENTIFIER),
    Group("ram:GlobalID", "identifiers", model.Identifier, IDENTIFIER),
    Field("ram:Name", "name"),
    Field("ram:Description", "legal_form"),
    Group("ram:SpecifiedLegalOrganization/ram:ID", "legal_id", model.Identifier, IDENTIFIER, many=False),
    Field("ram:SpecifiedLegalOrganization/ram:TradingBusinessName", "trading_name"),
    Field("ram:DefinedTradeContact/ram:PersonName", "contact_name"),
    Field("ram:DefinedTradeContact/ram:DepartmentName", "contact_name"),
    Field("ram:DefinedTradeContact/ram:TelephoneUniversalCommunication/ram:CompleteNumber", "contact_phone"),
    Field("ram:DefinedTradeContact/ram:EmailURIUniversalCommunication/ram:URIID", "contact_email"),
    Group("ram:PostalTradeAddress", "address", model.Address, ADDRESS, many=False),
    Group("ram:URIUniversalCommunication/ram:URIID", "endpoint", model.Identifier, IDENTIFIER, many=False),
    Flat("ram:SpecifiedTaxRegistration/ram:ID", (Field(".", "vat_id"),), only=(("@schemeID", "VA"),)),
    Flat(
        "ram:SpecifiedTaxRegistration/ram:ID", (Field(".", "tax_registration"),), only=(("@schemeID", "FC"),)
    ),
)

ALLOWANCE: Table = (
    Field("ram:CalculationPercent", "percent", DECIMAL),
    Field("ram:BasisAmount", "base", AMOUNT),
    Field("ram:ActualAmount", "amount", AMOUNT),
    Field("ram:ReasonCode", "reason_code"),
    Field("ram:Reason", "reason"),
    Field("ram:CategoryTradeTax/ram:CategoryCode", "category"),
    Field("ram:CategoryTradeTax/ram:RateApplicablePercent", "rate", DECIMAL),
)


def _allowances(name: str, indicator: str) -> Group:
    return Group(
        "ram:SpecifiedTradeAllowanceCharge",
        name,
        model.AllowanceCharge,
        ALLOWANCE,
        only=(("ram:ChargeIndicator/udt:Indicator", indicator),),
    )


PAYMENT_MEANS: Table = (
    Field("ram:TypeCode", "code"),
    Field("ram:Information", "text"),
    Field("ram:ApplicableTradeSettlementFinancialCard/ram:ID", "card"),
    Field("ram:ApplicableTradeSettlementFinancialCard/ram:CardholderName", "card_holder"),
    Field("ram:PayerPartyDebtorFinancialAccount/ram:IBANID", "debited_account"),
    Field("ram:PayeePartyCreditorFinancialAccount/ram:IBANID", "account"),
    Field("ram:PayeePartyCreditorFinancialAccount/ram:ProprietaryID", "account"),
    Field("ram:PayeePartyCreditorFinancialAccount/ram:AccountName", "account_name"),
    Field("ram:PayeeSpecifiedCreditorFinancialInstitution/ram:BICID", "institution"),
)

BREAKDOWN: Table = (
    Field("ram:CalculatedAmount", "tax", AMOUNT),
    Field("ram:ExemptionReason", "reason"),
    Field("ram:BasisAmount", "taxable", AMOUNT),
    Field("ram:CategoryCode", "category"),
    Field("ram:ExemptionReasonCode", "reason_code"),
    Field("ram:RateApplicablePercent", "rate", DECIMAL),
)

TOTALS: Table = (
    Field("ram:LineTotalAmount", "lines", AMOUNT),
    Field("ram:ChargeTotalAmount", "charges", AMOUNT),
    Field("ram:AllowanceTotalAmount", "allowances", AMOUNT),
    Field("ram:TaxBasisTotalAmount", "net", AMOUNT),
    Field("ram:RoundingAmount", "rounding", AMOUNT),
    Field("ram:GrandTotalAmount", "gross", AMOUNT),
    Field("ram:TotalPrepaidAmount", "paid", AMOUNT),
    Field("ram:DuePayableAmount", "payable", AMOUNT),
)

_GROSS = "ram:SpecifiedLineTradeAgreement/ram:GrossPriceProductTradePrice"
_NET = "ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice"

LINE: Table = (
    Field("ram:AssociatedDocumentLineDocument/ram:LineID", "id"),
    Field("ram:AssociatedDocumentLineDocument/ram:IncludedNote/ram:Content", "note"),
    Flat(
        "ram:SpecifiedTradeProduct",
        (
            Group("ram:GlobalID", "standard_item", model.Identifier, IDENTIFIER, many=False),
            Field("ram:SellerAssignedID", "seller_item"),
            Field("ram:BuyerAssignedID", "buyer_item"),
            Field("ram:Name", "name"),
            Field("ram:Description", "description"),
            Group(
                "ram:ApplicableProductCharacteristic",
                "attributes",
                model.ItemAttribute,
                (Field("ram:Description", "name"), Field("ram:Value", "value")),
            ),
            Group(
                "ram:DesignatedProductClassification/ram:ClassCode",
                "classifications",
                model.Identifier,
                (Field(".", "value"), Field("@listID", "scheme"), Field("@listVersionID", "version")),
            ),
            Field("ram:OriginTradeCountry/ram:ID", "origin"),
        ),
    ),
    Field("ram:SpecifiedLineTradeAgreement/ram:BuyerOrderReferencedDocument/ram:LineID", "order_line"),
    Field(f"{_GROSS}/ram:ChargeAmount", "gross_price", PRICE_AMOUNT),
    Field(f"{_GROSS}/ram:AppliedTradeAllowanceCharge/ram:ActualAmount", "price_discount", PRICE_AMOUNT),
    Field(f"{_NET}/ram:ChargeAmount", "price", PRICE_AMOUNT),
    Field(f"{_NET}/ram:BasisQuantity", "base_quantity", DECIMAL),
    Field(f"{_NET}/ram:BasisQuantity/@unitCode", "base_unit"),
    Field(f"{_GROSS}/ram:BasisQuantity", "base_quantity", DECIMAL),
    Field(f"{_GROSS}/ram:BasisQuantity/@unitCode", "base_unit"),
    Field("ram:SpecifiedLineTradeDelivery/ram:BilledQuantity", "quantity", DECIMAL),
    Field("ram:SpecifiedLineTradeDelivery/ram:BilledQuantity/@unitCode", "unit"),
    Flat(
        "ram:SpecifiedLineTradeSettlement",
        (
            Flat(
                "ram:ApplicableTradeTax",
                (Field("ram:CategoryCode", "category"), Field("ram:RateApplicablePercent", "rate", DECIMAL)),
            ),
            Flat("ram:BillingSpecifiedPeriod", PERIOD),
            _allowances("allowances", "false"),
            _allowances("charges", "true"),
            Field("ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount", "net", AMOUNT),
            Group(
                "ram:AdditionalReferencedDocument",
                "object_id",
                model.Identifier,
                (Field("ram:IssuerAssignedID", "value"), Field("ram:ReferenceTypeCode", "scheme")),
                only=(("ram:TypeCode", "130"),),
                many=False,
            ),
            Field("ram:ReceivableSpecifiedTradeAccountingAccount/ram:ID", "accounting_reference"),
        ),
    ),
)

_REFERENCE = "ram:AdditionalReferencedDocument"

AGREEMENT: Table = (
    Field("ram:BuyerReference", "buyer_reference"),
    Group("ram:SellerTradeParty", "seller", model.Party, PARTY, many=False),
    Group("ram:BuyerTradeParty", "buyer", model.Party, PARTY, many=False),
    Group("ram:SellerTaxRepresentativeTradeParty", "tax_representative", model.Party, PARTY, many=False),
    Field("ram:SellerOrderReferencedDocument/ram:IssuerAssignedID", "sales_order"),
    Field("ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID", "purchase_order"),
    Field("ram:ContractReferencedDocument/ram:IssuerAssignedID", "contract"),
    Group(
        _REFERENCE,
        "supporting",
        model.SupportingDocument,
        (
            Field("ram:IssuerAssignedID", "reference"),
            Field("ram:URIID", "address"),
            Field("ram:Name", "description"),
            Field("ram:AttachmentBinaryObject", "content", CONTENT),
            Field("ram:AttachmentBinaryObject/@mimeCode", "media_type"),
            Field("ram:AttachmentBinaryObject/@filename", "file_name"),
        ),
        only=(("ram:TypeCode", "916"),),
    ),
    Flat(_REFERENCE, (Field("ram:IssuerAssignedID", "tender"),), only=(("ram:TypeCode", "50"),)),
    Group(
        _REFERENCE,
        "invoiced_object",
        model.Identifier,
        (Field("ram:IssuerAssignedID", "value"), Field("ram:ReferenceTypeCode", "scheme")),
        only=(("ram:TypeCode", "130"),),
        many=False,
    ),
    Field("ram:SpecifiedProcuringProject/ram:ID", "project"),
)

DELIVERY: Table = (
    Group("ram:ShipToTradeParty/ram:GlobalID", "location", model.Identifier, IDENTIFIER, many=False),
    Group("ram:ShipToTradeParty/ram:ID", "location", model.Identifier, IDENTIFIER, many=False),
    Field("ram:ShipToTradeParty/ram:Name", "name"),
    Group("ram:ShipToTradeParty/ram:PostalTradeAddress", "address", model.Address, ADDRESS, many=False),
    Field(f"ram:ActualDeliverySupplyChainEvent/ram:OccurrenceDateTime/{_DAY}", "day", DAY_102),
)

SETTLEMENT: Table = (
    Field("ram:TaxCurrencyCode", "tax_currency"),
    Field("ram:InvoiceCurrencyCode", "currency"),
    Group("ram:PayeeTradeParty", "payee", model.Party, PARTY, many=False),
    Group("ram:SpecifiedTradeSettlementPaymentMeans", "payment_means", model.PaymentMeans, PAYMENT_MEANS),
    Field("ram:ApplicableTradeTax/ram:TaxPointDate/udt:DateString", "tax_point", DAY_102),
    Field("ram:ApplicableTradeTax/ram:DueDateTypeCode", "tax_point_code"),
    Flat("ram:BillingSpecifiedPeriod", PERIOD),
    _allowances("allowances", "false"),
    _allowances("charges", "true"),
    Field("ram:SpecifiedTradePaymentTerms/ram:Description", "payment_terms", VERBATIM),
    Field(f"ram:SpecifiedTradePaymentTerms/ram:DueDateDateTime/{_DAY}", "due", DAY_102),
    Group("ram:SpecifiedTradeSettlementHeaderMonetarySummation", "totals", model.Totals, TOTALS, many=False),
    Group(
        "ram:InvoiceReferencedDocument",
        "preceding",
        model.PrecedingInvoice,
        (
            Field("ram:IssuerAssignedID", "number"),
            Field("ram:FormattedIssueDateTime/qdt:DateTimeString", "issue_date", DAY_102),
        ),
    ),
    Field("ram:ReceivableSpecifiedTradeAccountingAccount/ram:ID", "accounting_reference"),
)

_CONTEXT = "rsm:ExchangedDocumentContext"
_TRADE = "rsm:SupplyChainTradeTransaction"
_SETTLEMENT = f"{_TRADE}/ram:ApplicableHeaderTradeSettlement"

DOCUMENT: Table = (
    Field(f"{_CONTEXT}/ram:BusinessProcessSpecifiedDocumentContextParameter/ram:ID", "profile"),
    Field(f"{_CONTEXT}/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID", "customization"),
    Flat(
        "rsm:ExchangedDocument",
        (
            Field("ram:ID", "number"),
            Field("ram:TypeCode", "type_code"),
            Field(f"ram:IssueDateTime/{_DAY}", "issue_date", DAY_102),
            Group(
                "ram:IncludedNote",
                "notes",
                model.Note,
                (Field("ram:Content", "text", VERBATIM), Field("ram:SubjectCode", "subject_code")),
            ),
        ),
    ),
    Group(f"{_TRADE}/ram:IncludedSupplyChainTradeLineItem", "lines", model.Line, LINE),
    Flat(f"{_TRADE}/ram:ApplicableHeaderTradeAgreement", AGREEMENT),
    Group(f"{_TRADE}/ram:ApplicableHeaderTradeDelivery", "delivery", model.Delivery, DELIVERY, many=False),
    Field(
        f"{_TRADE}/ram:ApplicableHeaderTradeDelivery/ram:DespatchAdviceReferencedDocument/ram:IssuerAssignedID",
        "despatch_advice",
    ),
    Field(
        f"{_TRADE}/ram:ApplicableHeaderTradeDelivery/ram:ReceivingAdviceReferencedDocument/ram:IssuerAssignedID",
        "receiving_advice",
    ),
    Flat(_SETTLEMENT, SETTLEMENT),
)


def read_document(root: etree._Element) -> tuple[model.Invoice, list[model.Finding]]:
    """What a Cross Industry Invoice says, and the values in it that nobody can read."""
    context = Context(
        PREFIXES,
        currency=text_at(root, f"{_SETTLEMENT}/ram:InvoiceCurrencyCode", PREFIXES),
        tax_currency=text_at(root, f"{_SETTLEMENT}/ram:TaxCurrencyCode", PREFIXES),
    )
    invoice: model.Invoice = read(root, model.Invoice, DOCUMENT, context)
    seller = invoice.seller
    creditor = text_at(root, f"{_SETTLEMENT}/ram:CreditorReferenceID", PREFIXES)
    if seller is not None and creditor:
        seller = replace(seller, creditor_id=creditor)
    whole = replace(
        invoice,
        tax_point_code=TAX_POINT_CODES.get(invoice.tax_point_code, invoice.tax_point_code),
        seller=seller,
        delivery=None if invoice.delivery == model.Delivery() else invoice.delivery,
        payment_means=_with_references(root, invoice.payment_means),
        tax=_tax(root, context),
        tax_in_tax_currency=_tax_in_tax_currency(root, context),
    )
    return whole, context.findings


def _with_references(
    root: etree._Element, means: tuple[model.PaymentMeans, ...]
) -> tuple[model.PaymentMeans, ...]:
    """CII says remittance and mandate once; the model has them with the means of payment."""
    remittance = text_at(root, f"{_SETTLEMENT}/ram:PaymentReference", PREFIXES)
    mandate = text_at(
        root, f"{_SETTLEMENT}/ram:SpecifiedTradePaymentTerms/ram:DirectDebitMandateID", PREFIXES
    )
    if not means and (remittance or mandate):
        means = (model.PaymentMeans(),)
    return tuple(replace(each, remittance=remittance, mandate=mandate) for each in means)


_TAX = f"{_SETTLEMENT}/ram:SpecifiedTradeSettlementHeaderMonetarySummation/ram:TaxTotalAmount"


def _tax(root: etree._Element, context: Context) -> model.TaxTotal | None:
    breakdown = tuple(
        read(element, model.TaxBreakdown, BREAKDOWN, context)
        for element in find_all(root, f"{_SETTLEMENT}/ram:ApplicableTradeTax", PREFIXES)
    )
    totals = [
        read(element, model.TaxTotal, (Field(".", "tax", AMOUNT),), context)
        for element in find_all(root, _TAX, PREFIXES)
        if element.get("currencyID", context.currency) == context.currency
    ]
    if not totals and breakdown and not any(part.tax for part in breakdown):
        totals = [model.TaxTotal(tax=0)]  # CII may leave out a total of nothing; UBL and BR-CO-15 may not
    total = totals[0] if totals else model.TaxTotal()
    return replace(total, breakdown=breakdown) if totals or breakdown else None


def _tax_in_tax_currency(root: etree._Element, context: Context) -> model.TaxInTaxCurrency | None:
    for element in find_all(root, _TAX, PREFIXES):
        if context.tax_currency and element.get("currencyID") == context.tax_currency != context.currency:
            table = (Field(".", "tax", TAX_CURRENCY_AMOUNT),)
            found: model.TaxInTaxCurrency = read(element, model.TaxInTaxCurrency, table, context)
            return found
    return None
