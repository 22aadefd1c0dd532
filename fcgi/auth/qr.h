/* QR codes (ISO/IEC 18004) as pictures. The one file that names libqrencode is qr.c. */
#ifndef LECTERN_AUTH_QR_H
#define LECTERN_AUTH_QR_H

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

/* An SVG of black squares on white with the quiet zone around it, a unit a module, without script,
 * style or reference. E_INTERNAL when the text has no code: it is longer than 2,331 bytes. */
err qr_svg(struct arena *a, struct text content, struct text *ret_svg) MUST_CHECK;

#endif
