/* Sends COUNT requests over kept-open connections, one thread each, and prints the time that they took.
 *   http_client [-c connections] [-f first] [-m milliseconds between requests] [-b body] [-H header]...
 *               PORT METHOD PATH COUNT
 * In path and body, {i} stands for the request's number and {a}.{b}.{c} for its three bytes. */
#include <arpa/inet.h>
#include <err.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "clock.h"

enum { ANSWER_SIZE = 1 << 20 };
static int connections = 1, first, pause_ms, port, count;
static const char *method, *path, *body = "";
static char headers[2048];
static double *times;
/* All connections are there, and their memory, before the first request. */
static pthread_barrier_t ready;

/* Copies a template, its place holders filled in. */
static size_t fill(char *to, size_t size, const char *from, unsigned i)
{
    size_t used = 0;
    for (; *from && used + 16 < size; from++) {
        const char *at = *from == '{' && from[1] && from[2] == '}' ? strchr("iabc", from[1]) : NULL;
        if (!at) {
            to[used++] = *from;
            continue;
        }
        unsigned value = *at == 'i' ? i : *at == 'a' ? i >> 16 & 255 : *at == 'b' ? i >> 8 & 255 : i & 255;
        used += snprintf(to + used, size - used, "%u", value);
        from += 2;
    }
    to[used] = 0;
    return used;
}

static int connect_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        err(1, "connect to port %d", port);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

/* Reads one answer: the header, then as many bytes as it announces. */
static void read_answer(int fd, char *answer)
{
    size_t used = 0, wanted = ANSWER_SIZE - 1;
    char *end = NULL;
    while (used < wanted) {
        ssize_t got = read(fd, answer + used, wanted - used);
        if (got <= 0)
            errx(1, "connection closed after %zu bytes: %.300s", used, answer);
        used += got;
        answer[used] = 0;
        if (!end && (end = strstr(answer, "\r\n\r\n"))) {
            char *length = strcasestr(answer, "\r\ncontent-length:");
            wanted = end + 4 - answer + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
            if (wanted >= ANSWER_SIZE)
                errx(1, "an answer of %zu bytes is too large", wanted);
        }
    }
    if (strncmp(answer, "HTTP/1.1 2", 10))
        errx(1, "%s %s was refused: %.900s", method, path, answer);
}

static void *client(void *argument)
{
    int fd = connect_loopback();
    char *answer = malloc(ANSWER_SIZE);
    if (!answer)
        err(1, "memory");
    memset(answer, 1, ANSWER_SIZE);
    pthread_barrier_wait(&ready);
    for (int i = (int)(long)argument; i < count; i += connections) {
        char target[512], content[4096], request[8192];
        fill(target, sizeof target, path, first + i);
        size_t size = fill(content, sizeof content, body, first + i);
        int length = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n%s",
                              method, target, headers, size, content);
        if (pause_ms)
            usleep(1000 * pause_ms);
        double start = now_us();
        if (write(fd, request, length) != length)
            err(1, "write");
        read_answer(fd, answer);
        times[i] = now_us() - start;
    }
    free(answer);
    close(fd);
    return NULL;
}

int main(int argc, char **argv)
{
    for (int option; (option = getopt(argc, argv, "c:f:m:b:H:")) != -1;) {
        switch (option) {
        case 'c': connections = atoi(optarg); break;
        case 'f': first = atoi(optarg); break;
        case 'm': pause_ms = atoi(optarg); break;
        case 'b': body = optarg; break;
        case 'H': {
            size_t used = strlen(headers);
            snprintf(headers + used, sizeof headers - used, "%s\r\n", optarg);
            break;
        }
        default: return 2;
        }
    }
    if (argc - optind != 4 || connections < 1)
        errx(2, "usage: http_client [-c connections] [-f first] [-m milliseconds] [-b body] [-H header]..."
                " PORT METHOD PATH COUNT");
    port = atoi(argv[optind]), method = argv[optind + 1], path = argv[optind + 2], count = atoi(argv[optind + 3]);
    times = calloc(count, sizeof *times);
    pthread_t *threads = calloc(connections, sizeof *threads);

    pthread_barrier_init(&ready, NULL, connections + 1);
    for (long i = 0; i < connections; i++)
        if (pthread_create(&threads[i], NULL, client, (void *)i))
            errx(1, "too many connections");
    pthread_barrier_wait(&ready);
    double start = now_us();
    for (int i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    printf("us_each %.1f\n", (now_us() - start) / count);
    printf("us_median %.1f\n", median(times, count));
    return 0;
}
