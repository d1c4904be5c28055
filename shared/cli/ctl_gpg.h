
/*
 * Messages of OpenPGP that a passphrase opens (RFC 4880), by gpg: what
 * pgp_sym_encrypt() of PostgreSQL writes.
 */


#ifndef _CTL_GPG_H_INCLUDED_
#define _CTL_GPG_H_INCLUDED_


#include "ctl.h"


/* within a pipe, so that nobody waits for the other */

#define CTL_GPG_MESSAGE_MAX     16384
#define CTL_GPG_PASSPHRASE_MAX  4096

#define CTL_GPG_PLAIN_MAX       4096
#define CTL_GPG_REASON_LEN      256


typedef struct {
    char                  home[64];      /* of gpg, ours alone, temporary */
    unsigned char        *plain;         /* locked memory */
    size_t                len;
    char                  reason[CTL_GPG_REASON_LEN];
} ctl_gpg_t;


/* An exit code, after ctl_error(); to be closed in any case. */
int ctl_gpg_open(ctl_gpg_t *gpg);

/*
 * Opens a message; what was in it is in plain until the next call.  The
 * passphrase goes through a pipe: it stands in no argument and no file.
 * CTL_OK; CTL_FAILED: reason has gpg's words; CTL_USAGE after ctl_error().
 */
int ctl_gpg_decrypt(ctl_gpg_t *gpg, const pocket_str_t *message,
    const pocket_str_t *passphrase);

void ctl_gpg_close(ctl_gpg_t *gpg);


#endif /* _CTL_GPG_H_INCLUDED_ */
