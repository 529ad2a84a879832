/* A load for HTTP/1.1 servers on loopback: one thread, epoll, keep-alive, one request under way per
 * connection. It must cost less than the server it measures.
 *
 *   load PORT CONNECTIONS SECONDS FILE
 *
 * FILE holds requests, each as a 4-byte little-endian length and its bytes. Connections take them
 * in turn from one ring; with SECONDS 0 each is sent once and the load ends with the last answer.
 * Prints one line: answered ok304 failed seconds p50_us p99_us
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1 << 18 };

struct connection {
    int fd;
    const char *left;
    size_t unsent;
    char *in;
    size_t have;
    double since;
    int busy;
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static const char **requests;
static uint32_t *lengths;
static size_t many, next_one;
static int once;
static float *took;
static size_t answers, space, fine, unchanged, failed;

static void note(double seconds) {
    if (answers == space) {
        space = space ? space * 2 : 1 << 16;
        took = realloc(took, space * sizeof *took);
    }
    took[answers++] = (float)(seconds * 1e6);
}

static int ask(struct connection *c) {
    if (once && next_one >= many) {
        c->busy = 0;
        return 0;
    }
    size_t i = next_one++ % many;
    c->left = requests[i];
    c->unsent = lengths[i];
    c->have = 0;
    c->busy = 1;
    c->since = now();
    while (c->unsent) {
        ssize_t n = send(c->fd, c->left, c->unsent, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN ? 0 : -1;
        c->left += n;
        c->unsent -= n;
    }
    return 0;
}

/* The length of a whole answer at the start of the buffer, or 0 while it is not whole. */
static size_t whole(struct connection *c, int *status) {
    c->in[c->have] = 0;
    char *end = strstr(c->in, "\r\n\r\n");
    if (!end) return 0;
    *status = atoi(c->in + 9);
    size_t head = end + 4 - c->in, body = 0;
    for (char *line = c->in; line < end; line = strstr(line, "\r\n") + 2)
        if (!strncasecmp(line, "content-length:", 15)) body = strtoul(line + 15, NULL, 10);
    return c->have >= head + body ? head + body : 0;
}

static int hear(struct connection *c) {
    for (;;) {
        if (c->have >= ROOM - 1) return -1;
        ssize_t n = recv(c->fd, c->in + c->have, ROOM - 1 - c->have, 0);
        if (n == 0) return -1;
        if (n < 0) return errno == EAGAIN ? 0 : -1;
        c->have += n;
        int status = 0;
        if (!whole(c, &status)) continue;
        note(now() - c->since);
        if (status == 304) unchanged++;
        else if (status >= 200 && status < 300) fine++;
        else failed++;
        if (ask(c) < 0) return -1;
        if (!c->busy) return 0;
    }
}

static int by_size(const void *a, const void *b) {
    float d = *(const float *)a - *(const float *)b;
    return (d > 0) - (d < 0);
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int port = atoi(argv[1]), n = atoi(argv[2]);
    double seconds = atof(argv[3]);
    once = seconds == 0;
    FILE *file = fopen(argv[4], "rb");
    if (!file) return 2;
    uint32_t length;
    size_t room = 0;
    while (fread(&length, 4, 1, file) == 1) {
        if (many == room) {
            room = room ? room * 2 : 1024;
            requests = realloc(requests, room * sizeof *requests);
            lengths = realloc(lengths, room * sizeof *lengths);
        }
        char *bytes = malloc(length);
        if (fread(bytes, 1, length, file) != length) return 2;
        requests[many] = bytes;
        lengths[many++] = length;
    }
    if (!many) return 2;
    int poll = epoll_create1(0);
    struct connection *all = calloc(n, sizeof *all);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < n; i++) {
        struct connection *c = all + i;
        int one = 1;
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        c->in = malloc(ROOM);
        if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0) return 3;
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(c->fd, F_SETFL, O_NONBLOCK);
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
        epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &e);
    }
    double start = now(), end = start + seconds;
    int open = n;
    for (int i = 0; i < n; i++)
        if (ask(all + i) < 0) return 3;
    while (open) {
        struct epoll_event events[256];
        if (!once && now() >= end) break;
        int busy = 0;
        for (int i = 0; once && i < n && !busy; i++) busy = all[i].busy;
        if (once && !busy) break;
        int got = epoll_wait(poll, events, 256, 100);
        for (int i = 0; i < got; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c->busy) continue;
            int bad = 0;
            if (c->unsent && events[i].events & EPOLLOUT) {
                ssize_t sent = send(c->fd, c->left, c->unsent, MSG_NOSIGNAL);
                if (sent > 0) {
                    c->left += sent;
                    c->unsent -= sent;
                }
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) bad = hear(c) < 0;
            if (bad) {
                epoll_ctl(poll, EPOLL_CTL_DEL, c->fd, NULL);
                close(c->fd);
                c->busy = 0;
                failed++;
                open--;
            }
        }
    }
    double spent = now() - start;
    qsort(took, answers, sizeof *took, by_size);
    printf("%zu %zu %zu %zu %.6f %.0f %.0f\n", answers, fine, unchanged, failed, spent,
           answers ? took[answers / 2] : 0.0, answers ? took[answers * 99 / 100] : 0.0);
    return 0;
}
