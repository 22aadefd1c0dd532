if HAVE_CUNIT
include tests/unit/base.mk
include tests/unit/wire.mk
include tests/unit/shm.mk
include tests/unit/auth.mk
include tests/unit/api.mk
include tests/unit/bin.mk
TESTS += $(check_PROGRAMS)
endif
