"""What tests, benchmarks and examples' tests need to meet the real PC/SC service without hardware.

``PrivatePcscd`` runs a pcscd of its own with virtual readers; ``FakeCard`` is a very small card for them.
"""

from tests.harness.fakecard import ATR_T0, ATR_T1, FakeCard
from tests.harness.pcscd import PrivatePcscd, Slot, enter_private_namespace

__all__ = ["ATR_T0", "ATR_T1", "FakeCard", "PrivatePcscd", "Slot", "enter_private_namespace"]
