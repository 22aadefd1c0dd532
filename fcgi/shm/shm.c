/* Making, finding and mapping the file of the shared tables. */
#include "shm/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "shm/tables.h"

#define HEADER_BYTES 4096
#define COUNTERS_MAX ((size_t)1 << 20)
#define BUCKETS_MAX ((size_t)1 << 22)
#define SLOTS_MAX ((size_t)1 << 24)
#define FORMAT_VERSION 1
#define NAME_BYTES 48

static const char MAGIC[16] = "lectern-shm 01\n";

_Static_assert(sizeof(struct shm_header) <= HEADER_BYTES, "the header fits its page");

static bool
power_of_two(size_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

static bool
layout_valid(const struct shm_layout *l)
{
    return l->counters <= COUNTERS_MAX && power_of_two(l->rate_buckets) &&
           l->rate_buckets <= BUCKETS_MAX && power_of_two(l->revoked_slots) &&
           l->revoked_slots >= SHM_REVOKED_WAYS && l->revoked_slots <= SLOTS_MAX;
}

/* The key is public: the hash only tells layouts apart. */
static uint64_t
layout_hash(const struct shm_layout *l)
{
    static const uint8_t key[16] = "lectern layout";
    const uint64_t words[] = {FORMAT_VERSION,     l->counters,   l->rate_buckets,
                              l->revoked_slots,   l->tag,        HEADER_BYTES,
                              SHM_COUNTER_SHARDS, SHM_RATE_WAYS, SHM_REVOKED_WAYS};

    return siphash(key, words, sizeof(words));
}

/* Sizes and offsets; everything but the mapping itself. */
static void
tables_measure(struct shm *s, const struct shm_layout *l)
{
    const size_t per_line = SHM_CACHE_LINE / sizeof(uint64_t);

    s->counter_count = l->counters;
    s->counter_stride = (l->counters + per_line - 1) / per_line * per_line;
    s->rate_mask = l->rate_buckets - 1;
    s->revoked_mask = l->revoked_slots / SHM_REVOKED_WAYS - 1;
    s->bytes = HEADER_BYTES + s->counter_stride * SHM_COUNTER_SHARDS * sizeof(uint64_t) +
               l->rate_buckets * sizeof(struct rate_bucket) +
               (s->revoked_mask + 1) * sizeof(struct revoked_bucket);
}

static bool
tables_map(struct shm *s, int fd)
{
    uint8_t *base = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (base == MAP_FAILED)
        return false;
    s->header = (struct shm_header *)(void *)base;
    base += HEADER_BYTES;
    s->counters = (uint64_t *)(void *)base;
    base += s->counter_stride * SHM_COUNTER_SHARDS * sizeof(uint64_t);
    s->rate = (struct rate_bucket *)(void *)base;
    base += (s->rate_mask + 1) * sizeof(struct rate_bucket);
    s->revoked = (struct revoked_bucket *)(void *)base;
    return true;
}

static void
tables_unmap(struct shm *s)
{
    int saved = errno;

    munmap(s->header, s->bytes);
    s->header = NULL;
    errno = saved;
}

/* Times are counted from the start of the host, so a file that outlived it must not be read.
 * Without the kernel's word (no /proc) every start looks the same. */
static void
boot_id_read(char ret_id[40])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(ret_id, 0, 40);
    if (fd < 0)
        return;
    if (read(fd, ret_id, 39) < 36)
        memset(ret_id, 0, 40);
    close(fd);
}

static bool
header_matches(const struct shm *s, uint64_t hash)
{
    char boot_id[40];

    boot_id_read(boot_id);
    return memcmp(s->header->magic, MAGIC, sizeof(MAGIC)) == 0 && s->header->layout_hash == hash &&
           s->header->bytes == s->bytes &&
           memcmp(s->header->boot_id, boot_id, sizeof(boot_id)) == 0;
}

/* Attach to the file if it is there, ours and whole. ret_stale: it is ours but not usable, and
 * may be replaced. */
static bool
tables_attach(struct shm *s, int dir, const char *name, uint64_t hash, bool *ret_stale)
{
    struct stat st;
    bool mapped = false;
    int fd = openat(dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    *ret_stale = fd < 0 && errno == ENOENT;
    if (fd < 0)
        return false;
    if (fstat(fd, &st) != 0) {
        close(fd);
        return false;
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0077) != 0) {
        close(fd);
        errno = EPERM;
        return false;
    }
    *ret_stale = true;
    if ((uint64_t)st.st_size == s->bytes)
        mapped = tables_map(s, fd);
    close(fd);
    if (!mapped)
        return false;
    if (header_matches(s, hash))
        return true;
    tables_unmap(s);
    return false;
}

/* Fill the file under a name that nobody opens, then let it appear whole. The caller holds the
 * lock of the directory, so what is left under that name is of a maker that died. */
static bool
tables_fill(struct shm *s, int dir, int fd, const char *names[2], uint64_t hash)
{
    int rc = posix_fallocate(fd, 0, (off_t)s->bytes);

    if (rc != 0) {
        errno = rc;
        return false;
    }
    if (!tables_map(s, fd))
        return false;
    memcpy(s->header->magic, MAGIC, sizeof(MAGIC));
    s->header->layout_hash = hash;
    s->header->bytes = s->bytes;
    boot_id_read(s->header->boot_id);
    random_bytes(s->header->hash_key, sizeof(s->header->hash_key));
    if (renameat(dir, names[0], dir, names[1]) == 0)
        return true;
    tables_unmap(s);
    return false;
}

static bool
tables_create(struct shm *s, int dir, const char *name, uint64_t hash)
{
    char temporary[NAME_BYTES + 4];
    size_t len = strlen(name);
    bool made;
    int fd;

    memcpy(temporary, name, len);
    memcpy(temporary + len, ".new", 5);
    if (unlinkat(dir, temporary, 0) != 0 && errno != ENOENT)
        return false;
    fd = openat(dir, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    made =
        fchmod(fd, 0600) == 0 && tables_fill(s, dir, fd, (const char *[2]){temporary, name}, hash);
    int saved = errno;
    if (!made)
        unlinkat(dir, temporary, 0);
    close(fd);
    errno = saved;
    return made;
}

static int
directory_lock(const char *directory)
{
    int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return -1;
    while (flock(dir, LOCK_EX) != 0) {
        if (errno != EINTR) {
            int saved = errno;

            close(dir);
            errno = saved;
            return -1;
        }
    }
    return dir;
}

static void
file_name(uint64_t hash, char ret_name[NAME_BYTES])
{
    static const char prefix[] = "lectern-";
    uint8_t bytes[8];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(hash >> (56 - 8 * i));
    memcpy(ret_name, prefix, sizeof(prefix) - 1);
    hex_encode(bytes, sizeof(bytes), ret_name + sizeof(prefix) - 1);
    memcpy(ret_name + sizeof(prefix) - 1 + 16, ".shm", 5);
}

static bool
tables_obtain(struct shm *s, const char *directory, uint64_t hash)
{
    char name[NAME_BYTES];
    bool stale, ok;
    int saved;
    int dir = directory_lock(directory);

    if (dir < 0)
        return false;
    file_name(hash, name);
    ok = tables_attach(s, dir, name, hash, &stale) || (stale && tables_create(s, dir, name, hash));
    saved = errno;
    close(dir);
    errno = saved;
    return ok;
}

struct shm *
shm_open_tables(const char *directory, const struct shm_layout *layout)
{
    struct shm *s;

    if (!layout_valid(layout)) {
        errno = EINVAL;
        return NULL;
    }
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    tables_measure(s, layout);
    if (!tables_obtain(s, directory, layout_hash(layout))) {
        int saved = errno;

        free(s);
        errno = saved;
        return NULL;
    }
    return s;
}

void
shm_close_tables(struct shm *s)
{
    if (s == NULL)
        return;
    tables_unmap(s);
    free(s);
}

const uint8_t *
shm_hash_key(const struct shm *s)
{
    return s->header->hash_key;
}
