/* main: finds the command and runs it. */
#include "pith.h"

#include <stdio.h>

int main(void)
{
    fputs("usage: pith COMMAND ...\n", stderr);
    return pith_status_exit_code(PITH_E_ARGUMENT);
}
