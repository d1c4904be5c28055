
/*
 * The scripts by which gateways share what they know of a chain, and the
 * names of their keys: {C} is the chain, {R} the region.  A script is the
 * only way that Redis' keys of the gateway change.
 */


#ifndef _GATEWAY_SCRIPT_H_INCLUDED_
#define _GATEWAY_SCRIPT_H_INCLUDED_


#include "pocket_base.h"


#define GATEWAY_SCHEMA           "1"


/*
 * Each as "gateway:{C}:" and, those of a region, ":" and {R} after the name.
 *
 * schema     the version of all that follows
 * health:R   hash, key of a node -> its row (gateway_record_format)
 * rev:R      zset of these keys, by the revision of the row's last change
 * peers:R    hash, gateway -> number of its last push, and when it was
 * lease:R    the gateway that checks, with the lease's time to live
 * ref        the reference height: "height at block_time"
 * admin      hash, "n" + node or "o" + operator -> verb; "" -> version
 * evidence   list of JSON, the newest first
 * rollup:R:m:B and :h:B  hash, "gateway node" -> sums of the minute or hour
 *            that begins at B (s); the node "" is the chain
 */

typedef enum {
    GATEWAY_KEY_SCHEMA = 0,
    GATEWAY_KEY_HEALTH,
    GATEWAY_KEY_REV,
    GATEWAY_KEY_PEERS,
    GATEWAY_KEY_LEASE,
    GATEWAY_KEY_REF,
    GATEWAY_KEY_ADMIN,
    GATEWAY_KEY_EVIDENCE,
    GATEWAY_KEYS                           /* those of SYNC, in its order */
} gateway_key_e;


/*
 * Arguments are KEYS; ARGV.  Times are wall clock ms.
 *
 * SYNC     the keys above; schema, gateway, number of the push, time, two
 *          half-lives and eject_failures of the chain, revision known, rows
 *          wanted, ms of the lease ("0": not wanted), reference or "",
 *          admin version known, number of admin verbs, number of evidence;
 *          then each verb ("cordon", "drain", "uncordon", "clear") and its
 *          field, each evidence, and for each node key, delta, and its shared
 *          record: "" (Redis is to have it), "-" (there is none yet), a row.
 *          A push of a number that is not above the last one changes nothing.
 *          { revision, lease is ours (1 or 0), reference or "", admin version,
 *          { field, verb, ... } if it is another one, { keys that Redis has
 *          no row of }, { key, row, ... }, rows were left out (1 or 0) }; or
 *          the schema that Redis holds, when it is another one.
 * RELEASE  lease; gateway.
 * STORE    one key; ms to live, then field and value, ...
 * HISTORY  peers, rollups...; node.  For each rollup "tries successes latency
 *          latencies picked", summed over all gateways, or "".
 */

typedef enum {
    GATEWAY_SCRIPT_SYNC = 0,
    GATEWAY_SCRIPT_RELEASE,
    GATEWAY_SCRIPT_STORE,
    GATEWAY_SCRIPT_HISTORY,
    GATEWAY_SCRIPTS
} gateway_script_e;


typedef struct {
    pocket_str_t             name;
    pocket_str_t             text;
} gateway_script_t;


extern const char            *gateway_key_names[GATEWAY_KEYS];
extern const gateway_script_t  gateway_scripts[GATEWAY_SCRIPTS];


#endif /* _GATEWAY_SCRIPT_H_INCLUDED_ */
