/* Hands each call of the terminal interface to the server `juying terminal serve` on this machine.
 *
 * Builds with any C99 compiler:
 *   Linux, macOS   cc -shared -fPIC -O2 -o libjuying_terminal.so juying_terminal.c
 *   Windows        cl /LD juying_terminal.c ws2_32.lib        or    gcc -shared -o juying_terminal.dll ... -lws2_32
 *
 * The endpoint file says where the server listens and holds the secret; see juying/terminal/bridge.py for the format of
 * requests and answers. One connection per call keeps the library free of state, and of threads. */
#include "juying_terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef _WIN32
#include <winsock2.h>
typedef SOCKET juying_socket;
#define NO_SOCKET INVALID_SOCKET
#define CLOSE closesocket
#define HOME "USERPROFILE"
#define SEPARATOR "\\"
#else
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
typedef int juying_socket;
#define NO_SOCKET (-1)
#define CLOSE close
#define HOME "HOME"
#define SEPARATOR "/"
#endif

#ifdef MSG_NOSIGNAL
#define SEND_FLAGS MSG_NOSIGNAL
#else
#define SEND_FLAGS 0
#endif

enum { READER_NOT_CONNECTED = -11, BAD_PARAMETER = -14, PATH_SIZE = 1024, REQUEST_SIZE = 64 * 1024, ANSWER_SIZE = 64 * 1024 };

/* "terminal service not running", in GBK, for readers of a Chinese log and of an English one */
static const char NO_SERVER[] = "\xd6\xd5\xb6\xcb\xb7\xfe\xce\xf1\xce\xb4\xc6\xf4\xb6\xaf / juying terminal serve is not running";
static const char TOO_LONG[] = "\xb2\xce\xca\xfd\xb9\xfd\xb3\xa4 / an argument is too long";

static long fail(char *out, long code, const char *text)
{
    if (out != NULL)
        strcpy(out, text);
    return code;
}

/* Port and secret from the endpoint file; 0 when there is none that makes sense. */
static unsigned endpoint(char *secret, size_t size)
{
    char path[PATH_SIZE];
    char format[32];
    unsigned port = 0;
    const char *named = getenv("JUYING_TERMINAL");
    const char *home = getenv(HOME);
    FILE *file;

    if (named != NULL && *named != '\0')
        snprintf(path, sizeof path, "%s", named);
    else if (home != NULL)
        snprintf(path, sizeof path, "%s" SEPARATOR ".juying" SEPARATOR "terminal", home);
    else
        return 0;
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    snprintf(format, sizeof format, "%%u %%%us", (unsigned)size - 1);
    if (fscanf(file, format, &port, secret) != 2 || port > 65535)
        port = 0;
    fclose(file);
    return port;
}

static juying_socket connect_to(unsigned port)
{
    struct sockaddr_in address;
    juying_socket connection;
#ifdef _WIN32
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        return NO_SOCKET;
#endif
    connection = socket(AF_INET, SOCK_STREAM, 0);
    if (connection == NO_SOCKET)
        return NO_SOCKET;
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0) {
        CLOSE(connection);
        return NO_SOCKET;
    }
    return connection;
}

static int send_all(juying_socket connection, const char *data, size_t size)
{
    while (size > 0) {
        int sent = (int)send(connection, data, (int)size, SEND_FLAGS);
        if (sent <= 0)
            return 0;
        data += sent;
        size -= (size_t)sent;
    }
    return 1;
}

/* One line into `line`, without its end; 0 when the server hangs up first. */
static int receive_line(juying_socket connection, char *line, size_t size)
{
    size_t length = 0;
    while (length < size) {
        int got = (int)recv(connection, line + length, (int)(size - length), 0);
        if (got <= 0)
            return 0;
        length += (size_t)got;
        if (line[length - 1] == '\n') {
            line[length - 1] = '\0';
            return 1;
        }
    }
    return 0;
}

/* Adds one field; an argument that is missing is an empty one. */
static int append(char *request, size_t *length, const char *field)
{
    size_t size = field == NULL ? 0 : strlen(field);
    if (*length + size + 2 > REQUEST_SIZE || (field != NULL && strpbrk(field, "\x1f\n") != NULL))
        return 0;
    request[(*length)++] = '\x1f';
    if (size > 0)
        memcpy(request + *length, field, size);
    *length += size;
    return 1;
}

static long call(char *out, const char *name, const char *const *arguments, int count)
{
    char secret[80];
    char *request = malloc(REQUEST_SIZE + 1);
    char *answer = malloc(ANSWER_SIZE);
    long code = READER_NOT_CONNECTED;
    juying_socket connection = NO_SOCKET;
    unsigned port = endpoint(secret, sizeof secret);
    size_t length = 0;
    int i, fits = 1;
    char *text;

    if (out == NULL || request == NULL || answer == NULL) {
        code = fail(out, BAD_PARAMETER, "");
        goto done;
    }
    if (port == 0 || (connection = connect_to(port)) == NO_SOCKET) {
        code = fail(out, READER_NOT_CONNECTED, NO_SERVER);
        goto done;
    }
    length = strlen(secret);
    memcpy(request, secret, length);
    fits = append(request, &length, name);
    for (i = 0; fits && i < count; i++)
        fits = append(request, &length, arguments[i]);
    if (!fits) {
        code = fail(out, BAD_PARAMETER, TOO_LONG);
        goto done;
    }
    request[length++] = '\n';
    if (!send_all(connection, request, length) || !receive_line(connection, answer, ANSWER_SIZE)) {
        code = fail(out, READER_NOT_CONNECTED, NO_SERVER);
        goto done;
    }
    text = strchr(answer, '\x1f');
    code = strtol(answer, NULL, 10);
    strcpy(out, text == NULL ? "" : text + 1);
done:
    if (connection != NO_SOCKET)
        CLOSE(connection);
    if (request != NULL)
        memset(request, 0, REQUEST_SIZE);
    free(request);
    free(answer);
    return code;
}

/* The functions differ in their arguments only: T is the card type, A the kind of authentication, P, Q and R are texts. */
#define NUMBER(name, value) char name[16]; snprintf(name, sizeof name, "%d", value)
#define CALL(...) \
    do { \
        const char *const arguments[] = {__VA_ARGS__}; \
        return call(pOutInfo, __func__, arguments, (int)(sizeof arguments / sizeof *arguments)); \
    } while (0)
#define WITH_TYPE(name) \
    long JUYING_CALL name(int iType, char *pOutInfo) { NUMBER(type, iType); CALL(type); }
#define WITH_KEY(name) \
    long JUYING_CALL name(char *pKey, char *pOutInfo) { CALL(pKey); }
#define WITH_CARD(name) \
    long JUYING_CALL name(int iType, char *pCardInfo, char *pOutInfo) { NUMBER(type, iType); CALL(type, pCardInfo); }
#define WITH_CARD_AND(name, more) \
    long JUYING_CALL name(int iType, char *pCardInfo, char *more, char *pOutInfo) \
    { NUMBER(type, iType); CALL(type, pCardInfo, more); }

WITH_TYPE(iReadCardBas)
WITH_TYPE(iReadCardBas_HSM_Step1)
WITH_KEY(iReadCardBas_HSM_Step2)
WITH_CARD_AND(iReadCard_HSM_Step1, pFileAddr)
WITH_KEY(iReadCard_HSM_Step2)
WITH_CARD_AND(iWriteCard_HSM_Step1, pFileAddr)
WITH_TYPE(iVerifyPIN)
WITH_TYPE(iChangePIN)
WITH_CARD(iReloadPIN)
WITH_CARD(iReloadPIN_HSM_Step1)
WITH_KEY(iReloadPIN_HSM_Step2)
WITH_KEY(iReloadPIN_HSM_Step3)
WITH_CARD(iUnblockPIN)
WITH_CARD(iUnblockPIN_HSM_Step1)
WITH_KEY(iUnblockPIN_HSM_Step2)
WITH_KEY(iUnblockPIN_HSM_Step3)
WITH_TYPE(iReadDebitRecord)
WITH_CARD_AND(iDoDebit, pPayInfo)
WITH_CARD_AND(iDoDebit_HSM_Step1, pPayInfo)
WITH_KEY(iDoDebit_HSM_Step2)

long JUYING_CALL iReadCard(int iType, int iAuthType, char *pCardInfo, char *pFileAddr, char *pOutInfo)
{
    NUMBER(type, iType);
    NUMBER(kind, iAuthType);
    CALL(type, kind, pCardInfo, pFileAddr);
}

long JUYING_CALL iWriteCard(int iType, char *pCardInfo, char *pFileAddr, char *pWriteData, char *pOutInfo)
{
    NUMBER(type, iType);
    CALL(type, pCardInfo, pFileAddr, pWriteData);
}

long JUYING_CALL iWriteCard_HSM_Step2(char *pKey, char *pWriteData, char *pOutInfo)
{
    CALL(pKey, pWriteData);
}
