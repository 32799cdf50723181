// Where this module may write besides the packets. It has no data of its own: its memory is the packet memory.

/** The first byte behind the slots, a multiple of 16; from there on lie 32 bytes and room for a packet's keystream. */
// @ts-ignore: decorator
@external('env', 'scratch')
export declare const scratch: usize
