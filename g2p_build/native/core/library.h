/* A library has another file in this one's place, which says whose the core is: #define G2P_LIBRARY NAME. Where the core is
 * compiled without a library, as tests do, its names are as they are written. */
