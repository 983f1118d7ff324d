"""What tests, benchmarks and examples' tests need to meet the real services without touching those of the machine.

``PrivatePcscd`` runs a pcscd of its own with virtual readers; ``FakeCard`` is a very small card for them.
``PrivatePostgres`` runs a PostgreSQL.
"""

from tests.harness.fakecard import ATR_T0, ATR_T1, FakeCard
from tests.harness.pcscd import PrivatePcscd, Slot, enter_private_namespace
from tests.harness.postgres import PrivatePostgres

__all__ = ["ATR_T0", "ATR_T1", "FakeCard", "PrivatePcscd", "PrivatePostgres", "Slot", "enter_private_namespace"]
