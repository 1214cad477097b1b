/* The least that libmicrohttpd can do: any GET gets the bytes of FILE and the given headers, on a kept-open
 * connection; any other request gets 204 when its body has been read. Ends when standard input does. */
#include <err.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/stat.h>
#include <unistd.h>

static struct MHD_Response *page, *empty;

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *body, size_t *body_size,
                              void **request)
{
    (void)context, (void)url, (void)version, (void)body;
    /* An answer on the first call would close the connection. */
    if (!*request) {
        *request = page;
        return MHD_YES;
    }
    if (*body_size) {
        *body_size = 0;
        return MHD_YES;
    }
    if (!strcmp(method, "GET"))
        return MHD_queue_response(connection, MHD_HTTP_OK, page);
    return MHD_queue_response(connection, MHD_HTTP_NO_CONTENT, empty);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        errx(2, "usage: httpd PORT THREADS FILE ['Header: value']...");
    struct stat status;
    int fd = open(argv[3], O_RDONLY);
    if (fd < 0 || fstat(fd, &status))
        err(1, "%s", argv[3]);
    char *bytes = malloc(status.st_size + 1);
    if (!bytes || read(fd, bytes, status.st_size) != status.st_size)
        err(1, "%s", argv[3]);

    page = MHD_create_response_from_buffer(status.st_size, bytes, MHD_RESPMEM_PERSISTENT);
    empty = MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    for (int i = 4; i < argc; i++) {
        char *colon = strchr(argv[i], ':');
        if (!colon)
            errx(2, "not a header: %s", argv[i]);
        *colon = 0;
        if (!MHD_add_response_header(page, argv[i], colon + 1 + strspn(colon + 1, " ")))
            errx(2, "not a header: %s", argv[i]);
    }

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, NULL,
        MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)atoi(argv[2]),
        MHD_OPTION_CONNECTION_LIMIT, 1000u, MHD_OPTION_END);
    if (!daemon)
        err(1, "port %s", argv[1]);
    char c;
    while (read(0, &c, 1) > 0)
        ;
    MHD_stop_daemon(daemon);
    return 0;
}
