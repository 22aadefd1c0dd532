/* A CUnit program in one call. */
#ifndef LECTERN_TESTS_UNIT_H
#define LECTERN_TESTS_UNIT_H

#include <CUnit/Basic.h>

struct unit_case {
    const char *name;
    void (*run)(void);
};

/* Runs the cases (ended by a NULL name) and returns the exit status: non-zero when one failed or
 * nothing was asserted. */
int unit_main(const char *suite, const struct unit_case *cases);

/* The end of a forked child of a test: nothing of the parent's is flushed or cleaned up, but lines
 * that the child reached count in a build for coverage. */
_Noreturn void unit_child_exit(int status);

#endif
