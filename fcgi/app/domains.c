/* Every domain of the program. A new app file adds its line here. */
#include "api/endpoint.h"

/* clang-format off */
#define DOMAINS(X) \
    X(health) \
    X(document) \
    X(account) \
    X(session) \
    X(second_factor) \
    X(org) \
    X(tenant) \
    X(course) \
    X(enrollment) \
    X(announcement) \
    X(audit) \
    X(parent_link) \
    X(person)
/* clang-format on */

#define DECLARE(name) extern const struct domain name##_domain;
DOMAINS(DECLARE)

#define ENTRY(name) &name##_domain,
const struct domain *const app_domains[] = {DOMAINS(ENTRY)};
const size_t app_domain_count = sizeof app_domains / sizeof app_domains[0];
