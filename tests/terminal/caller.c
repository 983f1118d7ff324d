/* A hospital program in miniature: calls each function named on the command line and prints code and text.
 *
 *     caller FUNCTION [ARGUMENT ...]
 */
#include "juying_terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **arguments)
{
    static char out[16384];
    const char *name = arguments[1];
    char **a = arguments + 2;
    long code = -99;

#define IS(function) (strcmp(name, #function) == 0)
    if (IS(iReadCardBas)) code = iReadCardBas(atoi(a[0]), out);
    if (IS(iReadCardBas_HSM_Step1)) code = iReadCardBas_HSM_Step1(atoi(a[0]), out);
    if (IS(iReadCardBas_HSM_Step2)) code = iReadCardBas_HSM_Step2(a[0], out);
    if (IS(iReadCard)) code = iReadCard(atoi(a[0]), atoi(a[1]), a[2], a[3], out);
    if (IS(iReadCard_HSM_Step1)) code = iReadCard_HSM_Step1(atoi(a[0]), a[1], a[2], out);
    if (IS(iReadCard_HSM_Step2)) code = iReadCard_HSM_Step2(a[0], out);
    if (IS(iWriteCard)) code = iWriteCard(atoi(a[0]), a[1], a[2], a[3], out);
    if (IS(iWriteCard_HSM_Step1)) code = iWriteCard_HSM_Step1(atoi(a[0]), a[1], a[2], out);
    if (IS(iWriteCard_HSM_Step2)) code = iWriteCard_HSM_Step2(a[0], a[1], out);
    if (IS(iVerifyPIN)) code = iVerifyPIN(atoi(a[0]), out);
    if (IS(iChangePIN)) code = iChangePIN(atoi(a[0]), out);
    if (IS(iReloadPIN)) code = iReloadPIN(atoi(a[0]), a[1], out);
    if (IS(iReloadPIN_HSM_Step1)) code = iReloadPIN_HSM_Step1(atoi(a[0]), a[1], out);
    if (IS(iReloadPIN_HSM_Step2)) code = iReloadPIN_HSM_Step2(a[0], out);
    if (IS(iReloadPIN_HSM_Step3)) code = iReloadPIN_HSM_Step3(a[0], out);
    if (IS(iUnblockPIN)) code = iUnblockPIN(atoi(a[0]), a[1], out);
    if (IS(iUnblockPIN_HSM_Step1)) code = iUnblockPIN_HSM_Step1(atoi(a[0]), a[1], out);
    if (IS(iUnblockPIN_HSM_Step2)) code = iUnblockPIN_HSM_Step2(a[0], out);
    if (IS(iUnblockPIN_HSM_Step3)) code = iUnblockPIN_HSM_Step3(a[0], out);
    if (IS(iReadDebitRecord)) code = iReadDebitRecord(atoi(a[0]), out);
    if (IS(iDoDebit)) code = iDoDebit(atoi(a[0]), a[1], a[2], out);
    if (IS(iDoDebit_HSM_Step1)) code = iDoDebit_HSM_Step1(atoi(a[0]), a[1], a[2], out);
    if (IS(iDoDebit_HSM_Step2)) code = iDoDebit_HSM_Step2(a[0], out);
    printf("%ld\n%s\n", code, out);
    return count < 2;
}
