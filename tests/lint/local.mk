TESTS += tests/lint/run
EXTRA_DIST += \
    tests/lint/README.md tests/lint/banned tests/lint/contributing tests/lint/errors tests/lint/format tests/lint/layers \
    tests/lint/lint.py tests/lint/names tests/lint/ratchet tests/lint/run tests/lint/selftest \
    tests/lint/sizes tests/lint/statements_test tests/lint/words
