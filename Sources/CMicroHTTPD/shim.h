#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nettle/sha2.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <microhttpd.h>

/* Only what Swift can't call: variadic functions, packed structs, casts of sockaddr. */

typedef void (*mhd_shim_logger)(void *cls, const char *format, va_list arguments);
typedef void *(*mhd_shim_uri_logger)(void *cls, const char *uri, struct MHD_Connection *connection);
typedef size_t (*mhd_shim_unescaper)(void *cls, struct MHD_Connection *connection, char *text);

struct mhd_shim_options {
    unsigned int threads; /* more than one: a pool of one is no pool */
    size_t memory_per_connection;
    unsigned int connections;
    unsigned int connections_per_ip;
    MHD_AcceptPolicyCallback accept;
    MHD_AccessHandlerCallback access;
    MHD_RequestCompletedCallback completed;
    MHD_NotifyConnectionCallback connection;
    mhd_shim_uri_logger uri;
    mhd_shim_unescaper unescape;
    mhd_shim_logger logger;
};

/* MHD_start_daemon on a socket that is already listening, with one `cls` for all callbacks. Without a timeout of
   libmicrohttpd's, which costs two locks for each request and knows only inactivity: see Connection.swift. */
static inline struct MHD_Daemon *mhd_shim_start(int listen_fd, void *cls, const struct mhd_shim_options *o) {
    unsigned int flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    return MHD_start_daemon(
        flags, 0, o->accept, cls, o->access, cls,
        MHD_OPTION_EXTERNAL_LOGGER, o->logger, cls,
        MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->memory_per_connection,
        MHD_OPTION_CONNECTION_LIMIT, o->connections,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->connections_per_ip,
        MHD_OPTION_NOTIFY_COMPLETED, o->completed, cls,
        MHD_OPTION_NOTIFY_CONNECTION, o->connection, cls,
        MHD_OPTION_URI_LOG_CALLBACK, o->uri, cls,
        MHD_OPTION_UNESCAPE_CALLBACK, o->unescape, cls,
        MHD_OPTION_THREAD_POOL_SIZE, o->threads, MHD_OPTION_END);
}

static inline int mhd_shim_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

static inline const struct sockaddr *mhd_shim_client(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : 0;
}

static inline void *mhd_shim_context(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : 0;
}

/* Bytes from the method's first to the one after the empty line that ends the header section. */
static inline size_t mhd_shim_header_size(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

/* libmicrohttpd hands the target out as const, in its own buffer, where it cuts it up next. */
static inline void mhd_shim_hide_query(const char *target) {
    char *mark = (char *)strchr(target, '?');
    if (mark && mark[1]) mark[1] = 0;
}

static inline void mhd_shim_hide_cookies(struct MHD_Connection *connection, const unsigned char *name) {
    MHD_set_connection_value(connection, MHD_HEADER_KIND, (const char *)name, "");
}

/* MHD_set_response_options is variadic. */
static inline void mhd_shim_do_not_chunk(struct MHD_Response *response) {
    MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
}

/* Writes a log line of libmicrohttpd, without its line end, into `text`. Returns the status of the error page
   that the line announces, 0 for any other line. */
static inline unsigned int mhd_shim_log_line(const char *format, va_list arguments, char *text, size_t capacity) {
    static const char page[] = "Error processing request (HTTP response code is %u";
    unsigned int status = 0;
    va_list copy;
    va_copy(copy, arguments);
    if (strncmp(format, page, sizeof(page) - 1) == 0) status = va_arg(copy, unsigned int);
    va_end(copy);
    vsnprintf(text, capacity, format, arguments);
    text[strcspn(text, "\n")] = 0;
    return status;
}

/* The kernel's struct ucred, which glibc shows only with _GNU_SOURCE, and that can't be had in one module alone. */
struct mhd_shim_credentials { pid_t pid; uid_t uid; gid_t gid; };

static inline int mhd_shim_peer_credentials(int fd, struct mhd_shim_credentials *out) {
    socklen_t length = sizeof(*out);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, &length);
}

/* fcntl(2) is variadic. */
static inline int mhd_shim_duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }

/* Bounds what the kernel takes for a reader that is slow, beyond what is on its way; of no effect on a unix socket. */
static inline void mhd_shim_bound_unsent(int fd, int bytes) {
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

/* epoll_event is packed on x86-64. */
static inline int mhd_shim_epoll_add(int epoll, int fd, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    int result = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    return result != 0 && errno == EEXIST ? epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) : result;
}

static inline int mhd_shim_epoll_wait(int epoll, uint64_t *tokens, int capacity, int milliseconds) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, capacity < 64 ? capacity : 64, milliseconds);
    for (int i = 0; i < count; i++) tokens[i] = events[i].data.u64;
    return count;
}

/* Milliseconds of a clock that only goes forward; a few milliseconds coarse, and cheap. */
static inline int64_t mhd_shim_coarse_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline int64_t mhd_shim_microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Macros with a cast. */
static const ssize_t mhd_shim_end_of_stream = MHD_CONTENT_READER_END_OF_STREAM;
static const ssize_t mhd_shim_end_with_error = MHD_CONTENT_READER_END_WITH_ERROR;
static const uint64_t mhd_shim_size_unknown = MHD_SIZE_UNKNOWN;
