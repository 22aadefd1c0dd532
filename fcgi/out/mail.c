/* The only file that names libcurl. */
#include "out/mail.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/oom.h"
#include "base/settings.h"

#define MAILBOX_MAX 260 /* an address and its angle brackets */
#define PATH_BYTES_MAX 512

struct mail_out {
    CURL *curl; /* NULL: files */
    struct text bytes;
    size_t given; /* of them, to the server */
};

bool
mail_out_ready(void)
{
    return setting_text(S_SMTP_URL).len > 0 || setting_text(S_MAIL_DIR).len > 0;
}

struct mail_out *
mail_out_open(void)
{
    struct mail_out *o = calloc(1, sizeof *o);

    if (o == NULL)
        out_of_memory("a mail's connection", sizeof *o);
    if (setting_text(S_SMTP_URL).len > 0) {
        o->curl = curl_easy_init();
        if (o->curl == NULL)
            out_of_memory("libcurl", 0);
    }
    return o;
}

void
mail_out_close(struct mail_out *o)
{
    curl_easy_cleanup(o->curl);
    free(o);
}

/* --- SMTP ----------------------------------------------------------------------------------- */

static size_t
smtp_read(char *to, size_t size, size_t count, void *context)
{
    struct mail_out *o = context;
    size_t n = o->bytes.len - o->given;

    if (n > size * count)
        n = size * count;
    memcpy(to, o->bytes.p + o->given, n);
    o->given += n;
    return n;
}

static long
smtp_tls(void)
{
    struct text wanted = setting_text(S_SMTP_TLS);

    if (text_eq(wanted, TEXT("none")))
        return CURLUSESSL_NONE;
    return text_eq(wanted, TEXT("opportunistic")) ? CURLUSESSL_TRY : CURLUSESSL_ALL;
}

/* An option that is refused means a library without SMTP or TLS: nothing is sent with less than
 * what was asked for. */
static bool
smtp_options(struct mail_out *o)
{
    CURL *c = o->curl;
    bool ok = true;

    curl_easy_reset(c); /* keeps connections */
    ok &= curl_easy_setopt(c, CURLOPT_URL, setting_z(S_SMTP_URL)) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps") == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_USE_SSL, smtp_tls()) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
    if (setting_text(S_SMTP_CA_BUNDLE).len > 0)
        ok &= curl_easy_setopt(c, CURLOPT_CAINFO, setting_z(S_SMTP_CA_BUNDLE)) == CURLE_OK;
    ok &=
        curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)setting_int(S_SMTP_TIMEOUT_SECONDS)) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_UPLOAD, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_READFUNCTION, smtp_read) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_READDATA, o) == CURLE_OK;
    return ok;
}

/* A server's word on the mail itself ends it, or puts it off; everything else is between us and the
 * server, and other mails would meet the same. */
static struct mail_result
smtp_verdict(const struct mail_out *o, CURLcode code, long reply)
{
    bool on_mail =
        code == CURLE_SEND_ERROR || (code == CURLE_WEIRD_SERVER_REPLY && o->given == o->bytes.len);
    struct mail_result r = {MAIL_OUT_NOW_OFF, "connection", (int)reply, (int)code};

    if (code == CURLE_OK) {
        r.outcome = MAIL_OUT_SENT;
        r.error = NULL;
    } else if (on_mail && reply >= 500) {
        r.outcome = MAIL_OUT_REFUSED;
        r.error = "refused";
    } else if (on_mail && reply >= 400) {
        r.outcome = MAIL_OUT_LATER;
        r.error = "deferred";
    } else if (code == CURLE_LOGIN_DENIED) {
        r.error = "login";
    } else if (code == CURLE_USE_SSL_FAILED || code == CURLE_SSL_CONNECT_ERROR ||
               code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
        r.error = "tls";
    }
    return r;
}

static struct mail_result
smtp_send(struct mail_out *o, const struct mail_envelope *e, struct text bytes)
{
    char from[MAILBOX_MAX], to[MAILBOX_MAX];
    struct curl_slist *rcpt;
    long reply = 0;
    CURLcode code = CURLE_FAILED_INIT;

    snprintf(from, sizeof from, "<%.*s>", TEXT_ARG(e->from));
    snprintf(to, sizeof to, "<%.*s>", TEXT_ARG(e->to));
    rcpt = curl_slist_append(NULL, to);
    if (rcpt == NULL)
        out_of_memory("libcurl", 0);
    o->bytes = bytes;
    o->given = 0;
    if (smtp_options(o) && curl_easy_setopt(o->curl, CURLOPT_MAIL_FROM, from) == CURLE_OK &&
        curl_easy_setopt(o->curl, CURLOPT_MAIL_RCPT, rcpt) == CURLE_OK) {
        code = curl_easy_perform(o->curl);
        curl_easy_getinfo(o->curl, CURLINFO_RESPONSE_CODE, &reply);
    }
    curl_slist_free_all(rcpt);
    return smtp_verdict(o, code, reply);
}

/* --- files ---------------------------------------------------------------------------------- */

static bool
write_all(int fd, struct text bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.p, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        bytes = (struct text){bytes.p + n, bytes.len - (size_t)n};
    }
    return true;
}

/* Whole or not at all: whoever reads the directory sees no half mail. */
static struct mail_result
file_send(const struct mail_envelope *e, struct text bytes)
{
    char path[PATH_BYTES_MAX], part[PATH_BYTES_MAX];
    struct mail_result failed = {MAIL_OUT_NOW_OFF, "file", 0, 0};
    bool written;
    int fd;

    snprintf(path, sizeof path, "%s/%.*s.eml", setting_z(S_MAIL_DIR), TEXT_ARG(e->id));
    snprintf(part, sizeof part, "%s/.%.*s", setting_z(S_MAIL_DIR), TEXT_ARG(e->id));
    fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    written = fd >= 0 && write_all(fd, bytes);
    failed.cause = errno;
    if (fd >= 0 && close(fd) != 0)
        written = false;
    if (!written || rename(part, path) != 0)
        return failed;
    return (struct mail_result){MAIL_OUT_SENT, NULL, 0, 0};
}

struct mail_result
mail_out_send(struct mail_out *o, const struct mail_envelope *e, struct text bytes)
{
    return o->curl != NULL ? smtp_send(o, e, bytes) : file_send(e, bytes);
}
