
#include "pocket_error.h"

#include <string.h>


#define POCKET_ERR_AAT_TEXT   "the application authentication token is invalid"
#define POCKET_ERR_HTTP_TEXT  "error executing the http request"

/* how the reference prints an error of its own inside another one */
#define pocket_error_nested(code, text)                                       \
    "ERROR:\nCodespace: pocketcore\nCode: " #code "\nMessage: \"" text "\"\n"

#define pocket_error_sdk(status, message, label)                              \
    { 1, status, 0, pocket_string("sdk"),                                     \
      pocket_string(message), pocket_string(label) }

#define pocket_error_row(code, dispatch, message, label)                      \
    { code, 400, dispatch, pocket_string("pocketcore"),                       \
      pocket_string(message), pocket_string(label) }


static const pocket_error_def_t  pocket_error_table[POCKET_ERR_LAST] = {

    [POCKET_ERR_NONE] =
        pocket_error_sdk(400, "internal error", "internal"),

    [POCKET_ERR_INTERNAL] =
        pocket_error_sdk(400, "", "internal"),

    [POCKET_ERR_DECODE] =
        pocket_error_sdk(400, "", "decode"),

    [POCKET_ERR_SERVICER_KEY] =
        pocket_error_sdk(400, "could not convert servicer hex to public key",
                         "servicer_key"),

    [POCKET_ERR_SERVICER_UNKNOWN] =
        pocket_error_sdk(400, "failed to find correct servicer PK",
                         "servicer_unknown"),

    [POCKET_ERR_NODE_UNAVAILABLE] =
        pocket_error_sdk(400, "pocket node is currently unavailable",
                         "node_unavailable"),

    [POCKET_ERR_NODE_STARTING] =
        pocket_error_sdk(400, "pocket node is unable to retrieve synced "
                         "status from tendermint node, cannot service in "
                         "this state", "node_starting"),

    [POCKET_ERR_NODE_SYNCING] =
        pocket_error_sdk(400, "pocket node is currently syncing to the "
                         "blockchain, cannot service in this state",
                         "node_syncing"),

    /* the reference puts the tries and all of the session into this one */

    [POCKET_ERR_SESSION_UNVERIFIED] =
        pocket_error_sdk(400, "unable to verify the session with the pocket "
                         "node", "session_unverified"),

    /* ours: what an edge cannot serve now, the client may send again */

    [POCKET_ERR_NOT_RECORDED] =
        pocket_error_sdk(503, "the relay could not be recorded",
                         "not_recorded"),

    [POCKET_ERR_STOPPED] =
        pocket_error_sdk(503, "this node is stopped", "stopped"),

    [POCKET_ERR_AAT] =
        pocket_error_row(4, 0, POCKET_ERR_AAT_TEXT " : ", "aat"),

    [POCKET_ERR_AAT_VERSION_MISSING] =
        pocket_error_row(4, 0, POCKET_ERR_AAT_TEXT " : the application "
                         "authentication token version is missing",
                         "aat_version_missing"),

    [POCKET_ERR_AAT_VERSION] =
        pocket_error_row(4, 0, POCKET_ERR_AAT_TEXT " : the application "
                         "authentication token version is not supported",
                         "aat_version"),

    [POCKET_ERR_AAT_APP_KEY] =
        pocket_error_row(4, 0, POCKET_ERR_AAT_TEXT " : the application "
                         "public key included in the AAT is not valid",
                         "aat_app_key"),

    [POCKET_ERR_AAT_CLIENT_KEY] =
        pocket_error_row(4, 0, POCKET_ERR_AAT_TEXT " : the client public "
                         "key included in the AAT is not valid",
                         "aat_client_key"),

    [POCKET_ERR_AAT_CLIENT_KEY_HEX] =
        pocket_error_row(4, 0, POCKET_ERR_AAT_TEXT " : "
                         pocket_error_nested(6, "error decoding the string "
                                             "into hex bytes"),
                         "aat_client_key_hex"),

    [POCKET_ERR_AAT_CLIENT_KEY_SIZE] =
        pocket_error_row(4, 0, POCKET_ERR_AAT_TEXT " : "
                         pocket_error_nested(42, "the public key is not the "
                                             "correct cap"),
                         "aat_client_key_size"),

    [POCKET_ERR_AAT_SIGNATURE] =
        pocket_error_row(4, 0, POCKET_ERR_AAT_TEXT " : the application "
                         "signature on the AAT is not valid",
                         "aat_signature"),

    [POCKET_ERR_KEY_HEX] =
        pocket_error_row(6, 0, "error decoding the string into hex bytes",
                         "key_hex"),

    [POCKET_ERR_CHAIN_EMPTY] =
        pocket_error_row(8, 0, "the non-native chain is of Length 0",
                         "chain_empty"),

    [POCKET_ERR_CHAIN_NOT_OF_APP] =
        pocket_error_row(13, 0, "the blockchain in the relay request is not "
                         "supported for this app", "chain_not_of_app"),

    [POCKET_ERR_NOT_IN_SESSION] =
        pocket_error_row(14, 1, "this node (self) is not responsible for "
                         "this session provided by the client",
                         "not_in_session"),

    [POCKET_ERR_TOO_FEW_NODES] =
        pocket_error_row(17, 0, "there are less than the minimum session "
                         "nodes found", "too_few_nodes"),

    [POCKET_ERR_SESSION] =
        pocket_error_row(19, 0, "this node (self) is not responsible for "
                         "this session provided by the client : ",
                         "session"),

    [POCKET_ERR_HASH_EMPTY] =
        pocket_error_row(23, 0, "the hash is invalid: ", "hash_empty"),

    [POCKET_ERR_PAYLOAD_EMPTY] =
        pocket_error_row(25, 0, "the payload data of the relay request is "
                         "empty", "payload_empty"),

    [POCKET_ERR_CHAIN_NOT_HOSTED] =
        pocket_error_row(26, 0, "the blockchain in the relay request is not "
                         "supported on this node", "chain_not_hosted"),

    [POCKET_ERR_HTTP] =
        pocket_error_row(28, 0, POCKET_ERR_HTTP_TEXT ": ", "http"),

    [POCKET_ERR_HTTP_REQUEST] =
        pocket_error_row(28, 0, POCKET_ERR_HTTP_TEXT ": unable to process "
                         "blockchain request", "http_request"),

    [POCKET_ERR_HTTP_BODY] =
        pocket_error_row(28, 0, POCKET_ERR_HTTP_TEXT ": unable to process "
                         "blockchain response payload", "http_body"),

    [POCKET_ERR_ENTROPY] =
        pocket_error_row(29, 0, "the entropy included in the relay request "
                         "is invalid", "entropy"),

    [POCKET_ERR_DUPLICATE] =
        pocket_error_row(37, 0, "the Proof with specific merkleHash already "
                         "found, check entropy", "duplicate"),

    [POCKET_ERR_SIGNATURE_SIZE] =
        pocket_error_row(38, 0, "the signature Length is invalid",
                         "signature_size"),

    [POCKET_ERR_SIGNATURE_HEX] =
        pocket_error_row(39, 0, "the signature could not be message decoded",
                         "signature_hex"),

    [POCKET_ERR_SIGNATURE] =
        pocket_error_row(41, 0, "the signature could not be verified with "
                         "the message and pub key", "signature"),

    [POCKET_ERR_KEY_SIZE] =
        pocket_error_row(42, 0, "the public key is not the correct cap",
                         "key_size"),

    [POCKET_ERR_APP_UNKNOWN] =
        pocket_error_row(45, 0, "the app could not be found in the world "
                         "state", "app_unknown"),

    [POCKET_ERR_HEX] =
        pocket_error_row(52, 0, "the hex string could not be decoded: ",
                         "hex"),

    [POCKET_ERR_BLOCK_HEIGHT] =
        pocket_error_row(60, 1, "the block height passed is invalid",
                         "block_height"),

    [POCKET_ERR_HASH_SIZE] =
        pocket_error_row(62, 0, "the merkleHash Length is not valid",
                         "hash_size"),

    [POCKET_ERR_OVER_SERVICE] =
        pocket_error_row(71, 1, "the max number of relays serviced for this "
                         "node is exceeded", "over_service"),

    [POCKET_ERR_REQUEST_HASH] =
        pocket_error_row(74, 0, "the request hash does not match the payload "
                         "hash", "request_hash"),

    [POCKET_ERR_OUT_OF_SYNC] =
        pocket_error_row(75, 1, "the request block height is out of sync "
                         "with the current block height", "out_of_sync"),

    [POCKET_ERR_CHAIN_UNSUPPORTED] =
        pocket_error_row(76, 0, "the blockchain in this request is not "
                         "supported", "chain_unsupported"),

    [POCKET_ERR_SEALED] =
        pocket_error_row(90, 0, "the evidence is sealed, either max relays "
                         "reached or claim already submitted", "sealed")
};


const pocket_error_def_t *
pocket_error_def(pocket_error_id_e id)
{
    if ((unsigned) id >= POCKET_ERR_LAST) {
        id = POCKET_ERR_NONE;
    }

    return &pocket_error_table[id];
}


pocket_error_id_e
pocket_error_by_code(uint32_t code)
{
    unsigned  id;

    /* a session stores its code only; with 1 it can be but this */

    if (code == 1) {
        return POCKET_ERR_SESSION_UNVERIFIED;
    }

    for (id = POCKET_ERR_AAT; id < POCKET_ERR_LAST; id++) {
        if (pocket_error_table[id].code == code) {
            return (pocket_error_id_e) id;
        }
    }

    return POCKET_ERR_NONE;
}


void
pocket_error_set(pocket_error_t *err, pocket_error_id_e id)
{
    const pocket_error_def_t  *def;

    def = pocket_error_def(id);

    err->id = id;
    err->code = def->code;
    err->codespace = def->codespace;
    err->message = def->message;
}


int
pocket_error_set_reason(pocket_error_t *err, pocket_error_id_e id,
    const pocket_str_t *reason, pocket_alloc_t *a)
{
    size_t          len;
    unsigned char  *p;

    pocket_error_set(err, id);

    if (reason->len == 0) {
        return POCKET_OK;
    }

    len = err->message.len + reason->len;

    p = pocket_alloc(a, len);
    if (p == NULL) {
        return POCKET_ERROR;
    }

    memcpy(p, err->message.data, err->message.len);
    memcpy(p + err->message.len, reason->data, reason->len);

    err->message.data = p;
    err->message.len = len;

    return POCKET_OK;
}
