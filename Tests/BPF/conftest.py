"""Tests of the programs alone: nothing of the daemon's runs. As root, on this kernel or on that of scripts/uml-run,
which has ipip for the other end:

    .build/venv/bin/python -m pytest Tests/BPF
"""

import contextlib
import os

import pytest
from lab import Lab
from programs import is_ipip_here

ENDS = [("bpf", "bpf")]
if is_ipip_here():
    ENDS += [("bpf", "ipip"), ("ipip", "bpf")]


@pytest.fixture(params=ENDS, ids="-".join)
def two_ends(request):
    """A and B with a tunnel; where the kernel has ipip, also with one end of that."""
    with contextlib.closing(Lab(request.param)) as lab:
        yield lab


@pytest.fixture
def lab():
    with contextlib.closing(Lab()) as lab:
        yield lab
