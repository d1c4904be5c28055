
/*
 * FindNode for other modules: which node of a chain a request is to go to.
 *
 * This header is all that is needed: nothing is linked.  It finds the module
 * ngx_gateway_select_module of the running configuration by name, and calls
 * through a struct of functions that has a version.
 *
 *     calls = gateway_find_calls(cycle);      once per worker, in init_process
 *
 *     if (calls && calls->find(cycle, &chain, &found) == NGX_OK) {
 *         calls->begin(&found);
 *         ... found.url ...
 *         calls->end(&found, GATEWAY_FIND_OK, ms);
 *     }
 *
 * No call locks, allocates or blocks.
 */


#ifndef _GATEWAY_FIND_H_INCLUDED_
#define _GATEWAY_FIND_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* grows with any change of what follows */

#define GATEWAY_FIND_VERSION  2

#define GATEWAY_FIND_KEY      256
#define GATEWAY_FIND_URL      512
#define GATEWAY_FIND_APP      64


typedef enum {
    GATEWAY_FIND_OK = 0,                   /* also where the caller erred */
    GATEWAY_FIND_FAILED,                   /* it answered, and wrongly */
    GATEWAY_FIND_LOST,                     /* refused, closed, timed out */
    GATEWAY_FIND_CENSORED                  /* given up, not for its fault */
} gateway_find_how_e;


/* Strings point into the struct itself, which the caller must not move. */

typedef struct {
    ngx_str_t            key;              /* public key, or server's name */
    ngx_str_t            url;              /* as configured or staked */
    ngx_str_t            app;              /* public key; empty: no session */
    ngx_str_t            reason;           /* "found", or why there is none */
    uint64_t             session_height;
    double               weight;

    u_char               key_data[GATEWAY_FIND_KEY];
    u_char               url_data[GATEWAY_FIND_URL];
    u_char               app_data[GATEWAY_FIND_APP];
    uint64_t             pick[16];         /* private */
} gateway_found_t;


/*
 * find: NGX_OK, or NGX_DECLINED with the reason set and nothing else; pick is
 * the choice alone, for who counts nanoseconds: tell then adds what is known
 * of the node, and gives NGX_DECLINED if it has just been replaced.
 * begin and end: the try is in flight in between, and its end counts for the
 * node; ms is the time to the header of the answer.  Both may be left out,
 * end never without begin.
 * session, before end: a servicer answered with this code of pocketcore and,
 * unless it is empty, this "dispatch".  NGX_OK: that is its fault, the try
 * ends FAILED; NGX_AGAIN: it is not ready for the session, nobody's fault;
 * NGX_DONE: it takes no more relays in this session.  Both end CENSORED.
 */

typedef struct {
    ngx_uint_t           version;
    ngx_int_t          (*find)(ngx_cycle_t *cycle, ngx_str_t *chain,
                             gateway_found_t *found);
    ngx_int_t          (*pick)(ngx_cycle_t *cycle, ngx_str_t *chain,
                             gateway_found_t *found);
    ngx_int_t          (*tell)(gateway_found_t *found);
    void               (*begin)(gateway_found_t *found);
    void               (*end)(gateway_found_t *found, gateway_find_how_e how,
                             ngx_msec_t ms);
    ngx_int_t          (*session)(ngx_cycle_t *cycle, gateway_found_t *found,
                             ngx_uint_t code, ngx_str_t *dispatch);
} gateway_find_calls_t;


/* what the main configuration of the module begins with */

typedef struct {
    ngx_uint_t                   layout;
    const gateway_find_calls_t  *calls;
} gateway_find_conf_t;


/*
 * The functions, as long as the cycle lives; NULL when the module is not
 * loaded, has another version, or has no chains.
 */

static ngx_inline const gateway_find_calls_t *
gateway_find_calls(ngx_cycle_t *cycle)
{
    ngx_uint_t            i;
    ngx_module_t         *module;
    gateway_find_conf_t  *conf;

    for (i = 0; cycle->modules[i]; i++) {

        module = cycle->modules[i];

        if (module->type != NGX_HTTP_MODULE
            || ngx_strcmp(module->name, "ngx_gateway_select_module") != 0)
        {
            continue;
        }

        conf = ngx_http_cycle_get_module_main_conf(cycle, (*module));

        if (conf == NULL
            || conf->calls == NULL
            || conf->calls->version != GATEWAY_FIND_VERSION)
        {
            return NULL;
        }

        return conf->calls;
    }

    return NULL;
}


#endif /* _GATEWAY_FIND_H_INCLUDED_ */
