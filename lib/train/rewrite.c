/* rewrite: see rewrite.h. */
#include "train/rewrite.h"

enum { PENDING = 1 << 18 };

static pith_status flush(px_rewrite *w, pith_error *err)
{
    pith_status st = px_buf_status(&w->pending, "rows to be written", err);
    if (st == PITH_OK && w->pending.len > 0)
        st = px_out_write(&w->out, w->pending.data, w->pending.len, err);
    px_buf_reset(&w->pending);
    return st;
}

pith_status px_rewrite_open(px_rewrite *w, const char *path, const px_records *like,
                            pith_error *err)
{
    *w = (px_rewrite){.format = px_records_format_of(like)};
    pith_status st = px_out_open(path, &w->out, err);
    if (st != PITH_OK)
        return st;
    px_str header = px_records_header(like);
    if (header.len > 0) {
        px_buf_put(&w->pending, header.data, header.len);
        px_buf_putc(&w->pending, '\n');
    }
    if (w->format == PX_RECORDS_JSON)
        px_buf_puts(&w->pending, "[\n");
    return PITH_OK;
}

pith_status px_rewrite_put(px_rewrite *w, const px_record *row, pith_error *err)
{
    bool text = w->format == PX_RECORDS_TXT;
    if (w->format == PX_RECORDS_JSON && w->n > 0)
        px_buf_puts(&w->pending, ",\n");
    if (text && w->n > 0 && row->begins)
        px_buf_puts(&w->pending, "<|endoftext|>\n");
    px_buf_put(&w->pending, row->raw.data, row->raw.len);
    bool ended = text && row->raw.len > 0 && row->raw.data[row->raw.len - 1] == '\n';
    if (w->format != PX_RECORDS_JSON && !ended)
        px_buf_putc(&w->pending, '\n');
    w->n++;
    return w->pending.len >= PENDING ? flush(w, err) : PITH_OK;
}

pith_status px_rewrite_commit(px_rewrite *w, pith_error *err)
{
    if (w->format == PX_RECORDS_JSON)
        px_buf_puts(&w->pending, w->n > 0 ? "\n]\n" : "]\n");
    pith_status st = flush(w, err);
    if (st == PITH_OK)
        st = px_out_commit(&w->out, err);
    px_rewrite_abort(w);
    return st;
}

void px_rewrite_abort(px_rewrite *w)
{
    px_out_abort(&w->out);
    px_buf_clear(&w->pending);
}
