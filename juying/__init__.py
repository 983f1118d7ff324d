"""juying: issue, read and verify the 聚英卡.

A Chinese social security card that also carries a foreigner's work permit, on the chip and as a QR credential. What
stands here is the whole public interface; the modules behind it are imported when a name is first used::

    trust = juying.TrustList.load("trust.json")
    print(juying.verify("JY1:…", trust, now=datetime.now(UTC)).verdict)
"""

import importlib
from typing import TYPE_CHECKING

from juying.errors import (
    AccessRefused,
    CardError,
    CardRefused,
    DecodeError,
    FieldError,
    InputError,
    JuyingError,
    KeyUseError,
    PlatformUnavailable,
    StatusError,
    TransportError,
)
from juying.text import Text

if TYPE_CHECKING:
    from juying.card.access import Access as Access
    from juying.card.administration import load_keys as load_keys
    from juying.card.contents import CardContents as CardContents
    from juying.card.monitor import ReaderMonitor as ReaderMonitor
    from juying.card.pcsc import open_card as open_card
    from juying.card.pcsc import readers as readers
    from juying.card.psam import PsamKeys as PsamKeys
    from juying.card.ssc import CardData as CardData
    from juying.card.ssc import SscCard as SscCard
    from juying.card.trace import Recorder as Recorder
    from juying.card.trace import Replay as Replay
    from juying.card.tunion import TransitCard as TransitCard
    from juying.card.tunion import read_transit as read_transit
    from juying.card.virtual.card import VirtualCard as VirtualCard
    from juying.card.virtual.image import load_card as load_card
    from juying.card.virtual.image import save_card as save_card
    from juying.card.virtual.transport import LocalTransport as LocalTransport
    from juying.card.writer import write_card as write_card
    from juying.codec.profile import load_profile as load_profile
    from juying.codec.qr import read_qr as read_qr
    from juying.credential.claims import Claims as Claims
    from juying.credential.claims import StatusReference as StatusReference
    from juying.credential.claims import Tier as Tier
    from juying.credential.issue import issue as issue
    from juying.credential.issue import to_text as to_text
    from juying.credential.picture import save_picture as save_picture
    from juying.credential.policy import Assurance as Assurance
    from juying.credential.policy import Policy as Policy
    from juying.credential.presentation import by_reference as by_reference
    from juying.credential.presentation import check_proof as check_proof
    from juying.credential.presentation import present as present
    from juying.credential.presentation import prove as prove
    from juying.credential.publish import publish as publish
    from juying.credential.replay import MemoryReplayCache as MemoryReplayCache
    from juying.credential.replay import SharedReplayCache as SharedReplayCache
    from juying.credential.status import StatusLists as StatusLists
    from juying.credential.trust import TrustedKey as TrustedKey
    from juying.credential.trust import TrustList as TrustList
    from juying.credential.trust_store import TrustStore as TrustStore
    from juying.credential.verify import Verdict as Verdict
    from juying.credential.verify import Verification as Verification
    from juying.credential.verify import verify as verify
    from juying.crypto.keys import DemonstrationKeys as DemonstrationKeys
    from juying.crypto.pkcs11 import Pkcs11Keys as Pkcs11Keys
    from juying.crypto.pkcs11 import Pkcs11Signer as Pkcs11Signer
    from juying.crypto.signing import Algorithm as Algorithm
    from juying.crypto.signing import SoftwareSigner as SoftwareSigner
    from juying.crypto.software_keys import SoftwareKeys as SoftwareKeys
    from juying.issuance.blanks import ReaderBlanks as ReaderBlanks
    from juying.issuance.blanks import VirtualBlanks as VirtualBlanks
    from juying.issuance.card_folder import keep_credentials as keep_credentials
    from juying.issuance.demo_keys import demonstration_keys as demonstration_keys
    from juying.issuance.intake import Application as Application
    from juying.issuance.intake import read_applications as read_applications
    from juying.issuance.lot_import import import_rows as import_rows
    from juying.issuance.office import Office as Office
    from juying.issuance.office import issue_card as issue_card
    from juying.issuance.office import sign_permit as sign_permit
    from juying.issuance.production import Production as Production
    from juying.issuance.run import issue_rows as issue_rows
    from juying.ledger.ledger import Ledger as Ledger
    from juying.ledger.register import LedgerRegister as LedgerRegister
    from juying.model import CardIdentity as CardIdentity
    from juying.model import Employer as Employer
    from juying.model import Holder as Holder
    from juying.model import PermitCategory as PermitCategory
    from juying.model import Sex as Sex
    from juying.model import WorkPermit as WorkPermit
    from juying.services.library.async_client import AsyncLibraryClient as AsyncLibraryClient
    from juying.services.library.client import LibraryClient as LibraryClient
    from juying.services.medical.client import AsyncNhsaClient as AsyncNhsaClient
    from juying.services.medical.client import NhsaClient as NhsaClient
    from juying.services.medical.till import Till as Till
    from juying.services.platform import verify_any as verify_any
    from juying.services.presentation import Presentation as Presentation
    from juying.services.reading import Reading as Reading
    from juying.services.reading import read_card as read_card
    from juying.terminal.interface import Terminal as Terminal
    from juying.wallet.store import Wallet as Wallet

__version__ = "0.1.0"

_MODULES = {
    "juying.card.access": ("Access",),
    "juying.card.administration": ("load_keys",),
    "juying.card.contents": ("CardContents",),
    "juying.card.monitor": ("ReaderMonitor",),
    "juying.card.pcsc": ("open_card", "readers"),
    "juying.card.psam": ("PsamKeys",),
    "juying.card.ssc": ("CardData", "SscCard"),
    "juying.card.trace": ("Recorder", "Replay"),
    "juying.card.tunion": ("read_transit", "TransitCard"),
    "juying.card.virtual.card": ("VirtualCard",),
    "juying.card.virtual.image": ("load_card", "save_card"),
    "juying.card.virtual.transport": ("LocalTransport",),
    "juying.card.writer": ("write_card",),
    "juying.codec.profile": ("load_profile",),
    "juying.codec.qr": ("read_qr",),
    "juying.credential.claims": ("Claims", "StatusReference", "Tier"),
    "juying.credential.issue": ("issue", "to_text"),
    "juying.credential.picture": ("save_picture",),
    "juying.credential.policy": ("Assurance", "Policy"),
    "juying.credential.presentation": ("by_reference", "check_proof", "present", "prove"),
    "juying.credential.publish": ("publish",),
    "juying.credential.replay": ("MemoryReplayCache", "SharedReplayCache"),
    "juying.credential.status": ("StatusLists",),
    "juying.credential.trust": ("TrustedKey", "TrustList"),
    "juying.credential.trust_store": ("TrustStore",),
    "juying.credential.verify": ("Verdict", "Verification", "verify"),
    "juying.crypto.keys": ("DemonstrationKeys",),
    "juying.crypto.pkcs11": ("Pkcs11Keys", "Pkcs11Signer"),
    "juying.crypto.signing": ("Algorithm", "SoftwareSigner"),
    "juying.crypto.software_keys": ("SoftwareKeys",),
    "juying.issuance.blanks": ("ReaderBlanks", "VirtualBlanks"),
    "juying.issuance.card_folder": ("keep_credentials",),
    "juying.issuance.demo_keys": ("demonstration_keys",),
    "juying.issuance.intake": ("Application", "read_applications"),
    "juying.issuance.lot_import": ("import_rows",),
    "juying.issuance.office": ("issue_card", "Office", "sign_permit"),
    "juying.issuance.production": ("Production",),
    "juying.issuance.run": ("issue_rows",),
    "juying.ledger.ledger": ("Ledger",),
    "juying.ledger.register": ("LedgerRegister",),
    "juying.model": ("CardIdentity", "Employer", "Holder", "PermitCategory", "Sex", "WorkPermit"),
    "juying.services.library.async_client": ("AsyncLibraryClient",),
    "juying.services.library.client": ("LibraryClient",),
    "juying.services.medical.client": ("AsyncNhsaClient", "NhsaClient"),
    "juying.services.medical.till": ("Till",),
    "juying.services.platform": ("verify_any",),
    "juying.services.presentation": ("Presentation",),
    "juying.services.reading": ("read_card", "Reading"),
    "juying.terminal.interface": ("Terminal",),
    "juying.wallet.store": ("Wallet",),
}
_LAZY = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "AccessRefused",
    "CardError",
    "CardRefused",
    "DecodeError",
    "FieldError",
    "InputError",
    "JuyingError",
    "KeyUseError",
    "PlatformUnavailable",
    "StatusError",
    "Text",
    "TransportError",
    "__version__",
    *_LAZY,
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _LAZY:
        raise AttributeError(f"module 'juying' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    """The public names, those not yet imported too."""
    return sorted(__all__)
