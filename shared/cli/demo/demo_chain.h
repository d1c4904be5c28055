
/*
 * A demo blockchain behind JSON-RPC.
 */


#ifndef _DEMO_CHAIN_H_INCLUDED_
#define _DEMO_CHAIN_H_INCLUDED_


/* meshdemo chain ...: the exit code */
int demo_chain_main(int argc, char **argv);


#endif /* _DEMO_CHAIN_H_INCLUDED_ */
