#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* There in a build for coverage only. */
extern void __gcov_dump(void) __attribute__((weak));

int
unit_main(const char *suite, const struct unit_case *cases)
{
    CU_pSuite s;

    if (CU_initialize_registry() != CUE_SUCCESS)
        return EXIT_FAILURE;
    s = CU_add_suite(suite, NULL, NULL);
    for (const struct unit_case *c = cases; s != NULL && c->name != NULL; c++) {
        if (CU_add_test(s, c->name, c->run) == NULL)
            s = NULL;
    }
    if (s == NULL) {
        fprintf(stderr, "unit: %s\n", CU_get_error_msg());
        return EXIT_FAILURE;
    }
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failed = CU_get_number_of_failures();
    unsigned asserted = CU_get_number_of_asserts();
    CU_cleanup_registry();
    return failed == 0 && asserted > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

void
unit_child_exit(int status)
{
    if (__gcov_dump != NULL)
        __gcov_dump();
    _exit(status);
}
