/* fault: see fault.h. */
#include "support/fault.h"

#include "base/mem.h"
#include "support/support.h"

#include <string.h>

#include <cmocka.h>

static void must_succeed(test_fault_work work, void *ctx)
{
    pith_error err = {0};
    pith_status status = work(ctx, &err);
    if (status != PITH_OK)
        fail_msg("without a fault: %s (%s)", pith_status_text(status), err.text);
}

static void must_fail(test_fault_work work, void *ctx, int64_t n, bool sticky)
{
    pith_error err = {0};
    px_fault_arm(n, sticky);
    pith_status status = work(ctx, &err);
    px_fault_arm(-1, false);
    const char *how = sticky ? "from then on" : "once";
    if (status != PITH_E_MEMORY)
        fail_msg("allocation %lld failing %s: status '%s', text '%s', expected '%s'", (long long)n,
                 how, pith_status_text(status), err.text, pith_status_text(PITH_E_MEMORY));
    if (err.status != status || !err.text[0])
        fail_msg("allocation %lld failing %s: the error holds status '%s' and text '%s'",
                 (long long)n, how, pith_status_text(err.status), err.text);
}

int64_t test_fault_each(test_fault_work work, void *ctx, int64_t most)
{
    px_fault_arm(-1, false);
    must_succeed(work, ctx);
    int64_t total = px_fault_count();
    if (total == 0)
        fail_msg("the work allocates nothing, or this build has no faults (-Dfault=true)");
    int64_t runs = most > 0 && most < total ? most : total;
    for (int64_t i = 0; i < runs; i++) {
        int64_t n = runs == total ? i : i * (total - 1) / (runs > 1 ? runs - 1 : 1);
        must_fail(work, ctx, n, false);
        must_fail(work, ctx, n, true);
    }
    must_succeed(work, ctx);
    return total;
}
