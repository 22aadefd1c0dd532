#include "bin/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/settings.h"

int
ctl_config_check(int argc, char **argv)
{
    struct ctl_options o;
    int status = ctl_parse(argc, argv, CTL_CONFIG, 0, &o);

    if (status != 0)
        return status;
    size_t faults = settings_load(o.config_file, stderr);
    if (faults > 0)
        return ctl_fail(EX_CONFIG, "%zu %s in the settings", faults,
                        faults == 1 ? "fault" : "faults");
    puts("The settings are valid.");
    return EXIT_SUCCESS;
}

int
ctl_config_show(int argc, char **argv)
{
    struct ctl_options o;
    int status = ctl_parse(argc, argv, CTL_CONFIG, 0, &o);

    if (status == 0)
        status = ctl_settings(o.config_file);
    if (status == 0)
        settings_show(stdout);
    return status;
}
