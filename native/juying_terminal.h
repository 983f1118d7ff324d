/* The terminal interface of the social security card (iReadCardBas, iReadCard, ...), carried out by `juying terminal`.
 *
 * Start the server once (`juying terminal serve`), then link with this library, or load it as SSSE32.dll is loaded.
 * Every function returns 0 when all went well and a negative number otherwise; pOutInfo then holds a message.
 * Texts are GBK and end with a zero byte. The standard has no length for pOutInfo: 2048 bytes are enough for everything
 * but a photo, which comes as up to 8192 hex digits. */
#ifndef JUYING_TERMINAL_H
#define JUYING_TERMINAL_H

#ifdef _WIN32
#define JUYING_CALL __stdcall
#define JUYING_API __declspec(dllexport)
#else
#define JUYING_CALL
#define JUYING_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

JUYING_API long JUYING_CALL iReadCardBas(int iType, char *pOutInfo);
JUYING_API long JUYING_CALL iReadCardBas_HSM_Step1(int iType, char *pOutInfo);
JUYING_API long JUYING_CALL iReadCardBas_HSM_Step2(char *pKey, char *pOutInfo);
JUYING_API long JUYING_CALL iReadCard(int iType, int iAuthType, char *pCardInfo, char *pFileAddr, char *pOutInfo);
JUYING_API long JUYING_CALL iReadCard_HSM_Step1(int iType, char *pCardInfo, char *pFileAddr, char *pOutInfo);
JUYING_API long JUYING_CALL iReadCard_HSM_Step2(char *pKey, char *pOutInfo);
JUYING_API long JUYING_CALL iWriteCard(int iType, char *pCardInfo, char *pFileAddr, char *pWriteData, char *pOutInfo);
JUYING_API long JUYING_CALL iWriteCard_HSM_Step1(int iType, char *pCardInfo, char *pFileAddr, char *pOutInfo);
JUYING_API long JUYING_CALL iWriteCard_HSM_Step2(char *pKey, char *pWriteData, char *pOutInfo);
JUYING_API long JUYING_CALL iVerifyPIN(int iType, char *pOutInfo);
JUYING_API long JUYING_CALL iChangePIN(int iType, char *pOutInfo);
JUYING_API long JUYING_CALL iReloadPIN(int iType, char *pCardInfo, char *pOutInfo);
JUYING_API long JUYING_CALL iReloadPIN_HSM_Step1(int iType, char *pCardInfo, char *pOutInfo);
JUYING_API long JUYING_CALL iReloadPIN_HSM_Step2(char *pKey, char *pOutInfo);
JUYING_API long JUYING_CALL iReloadPIN_HSM_Step3(char *pKey, char *pOutInfo);
JUYING_API long JUYING_CALL iUnblockPIN(int iType, char *pCardInfo, char *pOutInfo);
JUYING_API long JUYING_CALL iUnblockPIN_HSM_Step1(int iType, char *pCardInfo, char *pOutInfo);
JUYING_API long JUYING_CALL iUnblockPIN_HSM_Step2(char *pKey, char *pOutInfo);
JUYING_API long JUYING_CALL iUnblockPIN_HSM_Step3(char *pKey, char *pOutInfo);
JUYING_API long JUYING_CALL iReadDebitRecord(int iType, char *pOutInfo);
JUYING_API long JUYING_CALL iDoDebit(int iType, char *pCardInfo, char *pPayInfo, char *pOutInfo);
JUYING_API long JUYING_CALL iDoDebit_HSM_Step1(int iType, char *pCardInfo, char *pPayInfo, char *pOutInfo);
JUYING_API long JUYING_CALL iDoDebit_HSM_Step2(char *pKey, char *pOutInfo);

#ifdef __cplusplus
}
#endif
#endif
