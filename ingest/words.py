"""Eight bytes at a time, for kernels that hash and compare names: a load from any place, and a mixing step.

Memory must go on for eight bytes behind whatever is looked at.
"""

# mypy: disable-error-code="no-untyped-def,misc,no-untyped-call,untyped-decorator,import-untyped"
import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

from ingest.kernel import kernel

WORD_BYTES = 8

_MASK = (1 << 64) - 1
_FACTOR = 0x9E3779B97F4A7C15


if getattr(config, "DISABLE_JIT"):  # noqa: B009 - set when Numba reads the environment

    def word_at(data, position):
        """Return the eight bytes from `position` on as a little-endian number."""
        return int.from_bytes(bytes(data[position : position + WORD_BYTES]), "little")

    def byte_at(data, position):
        """Return a byte as an integer; there are no places before the first."""
        return int(data[position])

    def first_bytes(word, count):
        """Return `word` without what stands behind its first `count` bytes, 1 to 8."""
        return word & (_MASK >> 8 * (WORD_BYTES - int(count)))

    def word_of(count):
        """Return a small number as a word."""
        return int(count)

    def mixed(value, word):
        """Return a hash with one more word in it."""
        product = ((value ^ word) * _FACTOR) & _MASK
        return product ^ (product >> 32)

else:

    @intrinsic
    def word_at(_, data, position):
        """Return the eight bytes from `position` on as a little-endian number."""

        def generate(context, builder, signature, arguments):
            byte = _place(context, builder, signature, arguments)
            return builder.load(builder.bitcast(byte, ir.IntType(64).as_pointer()), align=1)

        return types.uint64(data, types.intp), generate

    @intrinsic
    def byte_at(_, data, position):
        """Return a byte as an integer; there are no places before the first."""

        def generate(context, builder, signature, arguments):
            byte = _place(context, builder, signature, arguments)
            return builder.zext(builder.load(byte), ir.IntType(64))

        return types.int64(data, types.intp), generate

    def _place(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.gep(array.data, [arguments[1]])

    @kernel
    def first_bytes(word, count):
        """Return `word` without what stands behind its first `count` bytes, 1 to 8."""
        return word & (np.uint64(_MASK) >> np.uint64(8 * (WORD_BYTES - count)))

    @kernel
    def word_of(count):
        """Return a small number as a word."""
        return np.uint64(count)

    @kernel
    def mixed(value, word):
        """Return a hash with one more word in it."""
        product = (value ^ word) * np.uint64(_FACTOR)
        return product ^ (product >> np.uint64(32))
