"""The hub that clears vouchers between the provinces."""

from hub.engine import use_compiled

use_compiled()
