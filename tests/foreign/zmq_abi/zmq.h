/* The part of libzmq's stable C interface (4.x) that examples/c uses, for machines that have the library (pyzmq brings it) and no header. */
#ifndef IGRT_TESTS_ZMQ_H
#define IGRT_TESTS_ZMQ_H

#include <stddef.h>

#define ZMQ_SUB 2
#define ZMQ_DEALER 5
#define ZMQ_SUBSCRIBE 6
#define ZMQ_LINGER 17
#define ZMQ_IPV6 42
#define ZMQ_SNDMORE 2
#define ZMQ_POLLIN 1

typedef union { unsigned char bytes[64]; void *aligned; } zmq_msg_t;
typedef struct { void *socket; int fd; short events, revents; } zmq_pollitem_t;

void *zmq_ctx_new(void);
int zmq_ctx_term(void *context);
void *zmq_socket(void *context, int type);
int zmq_close(void *socket);
int zmq_connect(void *socket, const char *address);
int zmq_setsockopt(void *socket, int option, const void *value, size_t size);
int zmq_send(void *socket, const void *data, size_t size, int flags);
int zmq_msg_init(zmq_msg_t *message);
int zmq_msg_recv(zmq_msg_t *message, void *socket, int flags);
void *zmq_msg_data(zmq_msg_t *message);
size_t zmq_msg_size(const zmq_msg_t *message);
int zmq_msg_more(const zmq_msg_t *message);
int zmq_msg_close(zmq_msg_t *message);
int zmq_poll(zmq_pollitem_t *items, int count, long timeout_ms);
const char *zmq_strerror(int number);

#endif
