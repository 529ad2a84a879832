/* Ten thousand phones in one thread: a WebSocket client on epoll for the benches.
 *
 *   phones PORT CONTROL_PORT TOKENS STREAM
 *
 * TOKENS has one line per phone: the id of the person and the token. Commands come on stdin, one
 * per line, and each is answered by one line on stdout:
 *
 *   open N K OWN      N phones shake hands and say hello, K at a time,
 *                     each for STREAM, with OWN for its own stream too   -> up failed seconds
 *   follow            each subscribes to its own stream                  -> answered seconds
 *   go COUNT          ask the control port for COUNT events              -> missing seconds
 *   await SEQ SECONDS until every phone has come to this number          -> missing seconds
 *   listen SECONDS    only answer pings                                  -> events
 *   freeze            the first phone stops reading                      -> 0
 *   thaw              it reads on                                        -> 0
 *   lost              phones closed by the server since they came        -> count code
 *   drop              close all, keeping their places                    -> 0
 *   tally             events lost and doubled so far                     -> lost doubled
 *
 * Every event frame is parsed to its number; a number that does not follow is counted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { AWAY, CONNECTING, SHAKING, GREETING, LIVE, LOST };

typedef struct {
    int fd, state, frozen;
    long seq;              /* the last number of STREAM, -1 before any */
    char person[40];
    char *token;
    unsigned char *part;   /* a frame that came in half */
    size_t have, room;
} Phone;

static Phone *phones;
static int count, started, up, failed, ended, end_code, flying, loop, port, control = -1;
static int own, answered;
static long events, lost, doubled;
static const char *stream;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void send_frame(Phone *p, int opcode, const char *text, size_t n) {
    unsigned char frame[2048];
    size_t at = 0;
    frame[at++] = 0x80 | opcode;
    if (n < 126) frame[at++] = 0x80 | n;
    else { frame[at++] = 0x80 | 126; frame[at++] = n >> 8; frame[at++] = n & 255; }
    memcpy(frame + at, "\1\2\3\4", 4);
    at += 4;
    for (size_t i = 0; i < n; i++) frame[at + i] = text[i] ^ (1 + (i & 3));
    if (write(p->fd, frame, at + n) != (ssize_t)(at + n)) perror("write");
}

static void say(Phone *p, const char *text, size_t n) { send_frame(p, 1, text, n); }

static void hello(Phone *p) {
    char text[1800], place[64] = "";
    if (p->seq >= 0) snprintf(place, sizeof place, ",\"after_seq\":%ld", p->seq);
    char mine[80] = "";
    if (own) snprintf(mine, sizeof mine, ",{\"id\":\"user:%s\"}", p->person);
    int n = snprintf(text, sizeof text,
        "{\"type\":\"hello\",\"token\":\"%s\",\"client\":\"bench/1\",\"streams\":"
        "[{\"id\":\"%s\"%s}%s]}", p->token, stream, place, mine);
    say(p, text, n);
}

static void begin(int i) {
    Phone *p = &phones[i];
    int one = 1;
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(0x7f010001 + i / 16); /* 127.1.0.1 and on, sixteen phones each */
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(port);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (p->fd < 0) { perror("socket"); exit(2); }
    int small = 4096;
    if (i == 0) setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small); /* see freeze */
    setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(p->fd, (void *)&from, sizeof from) < 0) { perror("bind"); exit(2); }
    if (connect(p->fd, (void *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        perror("connect");
        exit(2);
    }
    p->state = CONNECTING;
    p->have = 0;
    struct epoll_event e = {.events = EPOLLOUT, .data.u32 = i};
    epoll_ctl(loop, EPOLL_CTL_ADD, p->fd, &e);
    flying++;
}

static void hang_up(Phone *p) {
    close(p->fd);
    p->fd = -1;
    p->have = 0;
    if (p->state == LIVE) { up--; ended++; }
    else if (p->state != AWAY) { failed++; flying--; }
    p->state = LOST;
}

static void hear(Phone *p, int opcode, const char *text, size_t n) {
    if (opcode == 8) {
        end_code = n >= 2 ? (unsigned char)text[0] << 8 | (unsigned char)text[1] : 0;
        return;
    }
    if (opcode == 9) send_frame(p, 10, text, n);
    if (opcode != 1) return;
    if (n > 6 && !memcmp(text, "{\"v\":1", 6)) {
        char *at = memmem(text, n, "\"seq\":", 6);
        if (!at || (size_t)(at - text) > 160 || memmem(text, at - text, "\"user:", 6)) return;
        long seq = atol(at + 6);
        if (p->seq >= 0 && seq <= p->seq) doubled++;
        else { if (p->seq >= 0) lost += seq - p->seq - 1; p->seq = seq; }
        events++;
    } else if (n > 14 && !memcmp(text, "{\"type\":\"live\"", 14)) {
        if (p->state == GREETING) { p->state = LIVE; up++; flying--; }
    } else if (n > 20 && !memcmp(text, "{\"type\":\"subscribed\"", 20)) {
        answered++;
    } else if (n > 14 && !memcmp(text, "{\"type\":\"ping\"", 14)) {
        say(p, "{\"type\":\"pong\",\"t\":1}", 21);
    } else if (n > 17 && !memcmp(text, "{\"type\":\"welcome\"", 17)) {
        char *at = memmem(text, n, "\"head_seq\":", 11); /* ours is the first stream named */
        char *yes = memmem(text, n, "\"recovered\":true", 16);
        char *no = memmem(text, n, "\"recovered\":false", 17);
        int recovered = yes && (!no || yes < no);
        if (at && !recovered) {
            long head = atol(at + 11);
            if (p->seq >= 0 && head > p->seq) lost += head - p->seq;
            p->seq = head;
        }
    }
}

static size_t frames(Phone *p, unsigned char *b, size_t n) {
    size_t at = 0;
    while (n - at >= 2) {
        size_t size = b[at + 1] & 127, head = 2;
        if (size == 126) {
            if (n - at < 4) break;
            size = (size_t)b[at + 2] << 8 | b[at + 3];
            head = 4;
        } else if (size == 127) {
            if (n - at < 10) break;
            size = 0;
            for (int i = 2; i < 10; i++) size = size << 8 | b[at + i];
            head = 10;
        }
        if (n - at < head + size) break;
        hear(p, b[at] & 15, (char *)b + at + head, size);
        at += head + size;
    }
    return at;
}

static void take(Phone *p, unsigned char *b, size_t n) {
    if (p->have) {
        if (p->have + n > p->room) p->part = realloc(p->part, p->room = p->have + n);
        memcpy(p->part + p->have, b, n);
        n += p->have;
        b = p->part;
    }
    size_t done = 0;
    if (p->state == SHAKING) {
        unsigned char *end = memmem(b, n, "\r\n\r\n", 4);
        if (end) {
            if (memcmp(b, "HTTP/1.1 101", 12)) {
                fprintf(stderr, "refused: %.60s\n", (char *)b);
                exit(3);
            }
            done = end + 4 - b;
            p->state = GREETING;
            hello(p);
        }
    }
    if (p->state > SHAKING) done += frames(p, b + done, n - done);
    n -= done;
    if (n) {
        if (n > p->room) {
            unsigned char *bigger = malloc(n);
            memcpy(bigger, b + done, n);
            free(p->part);
            p->part = bigger;
            p->room = n;
        } else memmove(p->part, b + done, n);
    }
    p->have = n;
}

static void turn(int wait) {
    static struct epoll_event ready[1024];
    static unsigned char buffer[1 << 17];
    static const char request[] =
        "GET /v1/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: bWlueWkgYmVuY2ggIGxpdg==\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: dc.live.v1\r\n\r\n";
    int n = epoll_wait(loop, ready, 1024, wait);
    for (int k = 0; k < n; k++) {
        Phone *p = &phones[ready[k].data.u32];
        if (p->state == CONNECTING && ready[k].events & EPOLLOUT) {
            struct epoll_event e = {.events = EPOLLIN, .data.u32 = ready[k].data.u32};
            epoll_ctl(loop, EPOLL_CTL_MOD, p->fd, &e);
            p->state = SHAKING;
            if (write(p->fd, request, sizeof request - 1) < 0) hang_up(p);
            continue;
        }
        ssize_t got = read(p->fd, buffer, sizeof buffer);
        if (got > 0) take(p, buffer, got);
        else if (got == 0 || errno != EAGAIN) hang_up(p);
    }
}

static long behind(long seq) {
    long missing = 0;
    for (int i = 0; i < count; i++)
        if (!phones[i].frozen && phones[i].seq < seq) missing++;
    return missing;
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    port = atoi(argv[1]);
    stream = argv[4];
    FILE *file = fopen(argv[3], "r");
    if (!file) { perror(argv[3]); return 2; }
    char line[2048], person[64], token[1500];
    int room = 0;
    while (fgets(line, sizeof line, file) && sscanf(line, "%39s %1499s", person, token) == 2) {
        if (count == room) phones = realloc(phones, (room = room ? 2 * room : 1024) * sizeof *phones);
        Phone *p = &phones[count++];
        memset(p, 0, sizeof *p);
        strcpy(p->person, person);
        p->token = strdup(token);
        p->seq = -1;
        p->fd = -1;
    }
    loop = epoll_create1(0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    control = socket(AF_INET, SOCK_STREAM, 0);
    int one = 1;
    setsockopt(control, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(control, (void *)&to, sizeof to) < 0) { perror("control"); return 2; }
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, stdin)) {
        double began = now(), seconds;
        long a, b, c;
        if (sscanf(line, "open %ld %ld %ld", &a, &b, &c) == 3) {
            own = c;
            started = up = failed = flying = ended = 0;
            for (int i = 0; i < count; i++) phones[i].state = AWAY;
            while (up + failed + ended < a && now() - began < 90) {
                while (started < a && flying < b) begin(started++);
                turn(1000);
            }
            printf("%d %d %.6f\n", up, failed, now() - began);
        } else if (!strncmp(line, "follow", 6)) {
            answered = 0;
            int asked = 0;
            for (int i = 0; i < count; i++) {
                if (phones[i].state != LIVE) continue;
                char text[128];
                say(&phones[i], text, snprintf(text, sizeof text,
                    "{\"type\":\"subscribe\",\"streams\":[{\"id\":\"user:%s\"}]}", phones[i].person));
                for (asked++; asked - answered > 200 && now() - began < 60;) turn(200);
            }
            while (answered < asked && now() - began < 60) turn(200);
            printf("%d %.6f\n", answered, now() - began);
        } else if (sscanf(line, "go %ld", &a) == 1) {
            long want = events + a * up;
            for (int i = 0; i < count; i++) if (phones[i].frozen) want -= a;
            if (write(control, line, strlen(line)) < 0) perror("control");
            while (events < want && now() - began < 25) turn(200);
            printf("%ld %.6f\n", want - events, now() - began);
        } else if (sscanf(line, "await %ld %lf", &a, &seconds) == 2) {
            while (behind(a) && now() - began < seconds) turn(20);
            printf("%ld %.6f\n", behind(a), now() - began);
        } else if (sscanf(line, "listen %lf", &seconds) == 1) {
            while (now() - began < seconds) turn(20);
            printf("%ld\n", events);
        } else if (!strncmp(line, "freeze", 6)) {
            epoll_ctl(loop, EPOLL_CTL_DEL, phones[0].fd, NULL);
            phones[0].frozen = 1;
            printf("0\n");
        } else if (!strncmp(line, "thaw", 4)) {
            struct epoll_event e = {.events = EPOLLIN, .data.u32 = 0};
            epoll_ctl(loop, EPOLL_CTL_ADD, phones[0].fd, &e);
            phones[0].frozen = 0;
            printf("0\n");
        } else if (!strncmp(line, "lost", 4)) {
            printf("%d %d\n", ended, end_code);
        } else if (!strncmp(line, "drop", 4)) {
            for (int i = 0; i < count; i++)
                if (phones[i].fd >= 0) { close(phones[i].fd); phones[i].fd = -1; phones[i].state = AWAY; }
            printf("0\n");
        } else if (!strncmp(line, "tally", 5)) {
            printf("%ld %ld\n", lost, doubled);
        } else printf("?\n");
    }
    return 0;
}
