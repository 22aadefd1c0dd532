#include "auth/qr.h"

#include <qrencode.h>

#include "base/buf.h"

#define QUIET 4 /* modules around the code, by the standard */
#define SVG_MAX ((size_t)1 << 20)

/* One run of dark modules of a row is one piece of the path. */
static void
svg_row(struct buf *b, const unsigned char *row, int width, int y)
{
    for (int x = 0; x < width; x++) {
        int begin = x;
        while (x < width && (row[x] & 1) != 0)
            x++;
        if (x > begin)
            buf_printf(b, "M%d %dh%dv1h-%dz", begin + QUIET, y + QUIET, x - begin, x - begin);
    }
}

static struct text
svg_of(struct arena *a, const QRcode *code)
{
    int side = code->width + 2 * QUIET;
    struct buf b;

    buf_init(&b, 8192, SVG_MAX);
    buf_printf(&b,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
               "shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/>"
               "<path d=\"",
               side, side, side, side);
    for (int y = 0; y < code->width; y++)
        svg_row(&b, code->data + (size_t)y * (size_t)code->width, code->width, y);
    buf_z(&b, "\"/></svg>");
    struct text svg = arena_text(a, buf_as_text(&b));
    buf_free(&b);
    return svg;
}

err
qr_svg(struct arena *a, struct text content, struct text *ret_svg)
{
    QRcode *code =
        QRcode_encodeData((int)content.len, (const unsigned char *)content.p, 0, QR_ECLEVEL_M);

    if (code == NULL)
        return E_INTERNAL;
    *ret_svg = svg_of(a, code);
    QRcode_free(code);
    return E_OK;
}
