/* Intel's AMX on processors without it: each of its instructions traps, and is computed here as Intel's manual says
 * ("Intel 64 and IA-32 Architectures Software Developer's Manual", volume 2, TDPBSSD and its kin). Linux on x86-64.
 *
 * A program that links this file, or loads it, has it. What the processor would refuse ends the program, with a line
 * that says why. AMX_SYSTEM in the environment is what Linux answers who asks for tile data: 0 grants it, an errno
 * refuses it. AMX_REPORT names a file that gets the number of instructions at the end. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { TILES = 8, ROWS = 16, ROW_BYTES = 64, CONFIGURATION = 64 };
enum { NO_PREFIX, PREFIX_66, PREFIX_F3, PREFIX_F2 }; /* as VEX has them */
enum { REGISTER = 3 };                               /* of ModRM.mod: the operand is no memory */

struct tile {
  uint8_t rows[ROWS][ROW_BYTES];
};

struct thread {
  uint8_t configuration[CONFIGURATION]; /* as LDTILECFG reads it; zero where tiles are released */
  struct tile tiles[TILES];
};

static _Thread_local struct thread *own; /* mapped when first used: a loaded file has little memory of each thread */
static uint64_t executed;
static struct sigaction before;

static void refuse(const char *why) {
  static const char said[] = "the AMX emulator: the processor would refuse ";
  if (write(2, said, sizeof said - 1) < 0 || write(2, why, strlen(why)) < 0 || write(2, "\n", 1) < 0) _exit(3);
  _exit(3);
}

static struct thread *thread(void) {
  if (!own) {
    void *memory = mmap(NULL, sizeof *own, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) refuse("a thread without memory");
    own = memory;
  }
  return own;
}

static unsigned bytes_of(const struct thread *t, unsigned tile) {
  return t->configuration[16 + 2 * tile] | t->configuration[17 + 2 * tile] << 8;
}

static unsigned rows_of(const struct thread *t, unsigned tile) { return t->configuration[48 + tile]; }

static void check_tile(const struct thread *t, unsigned tile) {
  if (!t->configuration[0]) refuse("tiles that are not configured");
  if (tile >= TILES || !rows_of(t, tile) || !bytes_of(t, tile)) refuse("a tile that the configuration leaves out");
}

static void configure(struct thread *t, const uint8_t *memory) {
  uint8_t given[CONFIGURATION];
  memcpy(given, memory, sizeof given);
  memset(t, 0, sizeof *t);
  if (!given[0]) return;
  if (given[0] != 1) refuse("a palette that is not 1");
  for (unsigned i = 2; i < CONFIGURATION; i++) {
    if (given[i] && (i < 16 || (i >= 32 && i < 48) || i >= 56)) refuse("reserved bytes that are not zero");
  }
  memcpy(t->configuration, given, sizeof given);
  for (unsigned tile = 0; tile < TILES; tile++) {
    unsigned rows = rows_of(t, tile), bytes = bytes_of(t, tile);
    if (rows > ROWS || bytes > ROW_BYTES || !rows != !bytes) refuse("a tile of such a size");
  }
}

static int whole(uint8_t byte, int sign) { return sign ? (int8_t)byte : byte; }

/* TDPBSSD, TDPBSUD, TDPBUSD, TDPBUUD: dwords of sums; each adds the products of four bytes with four. */
static void add_products_of_bytes(struct thread *t, unsigned to, unsigned a, unsigned b, int sign_a, int sign_b) {
  for (unsigned m = 0; m < rows_of(t, to); m++) {
    uint32_t sums[ROW_BYTES / 4];
    memcpy(sums, t->tiles[to].rows[m], sizeof sums);
    for (unsigned k = 0; k < bytes_of(t, a) / 4; k++) {
      int four[4];
      for (unsigned i = 0; i < 4; i++) four[i] = whole(t->tiles[a].rows[m][4 * k + i], sign_a);
      const uint8_t *other = t->tiles[b].rows[k];
      for (unsigned n = 0; n < bytes_of(t, to) / 4; n++) {
        int sum = 0;
        for (unsigned i = 0; i < 4; i++) sum += four[i] * whole(other[4 * n + i], sign_b);
        sums[n] += (uint32_t)sum; /* it wraps round */
      }
    }
    memcpy(t->tiles[to].rows[m], sums, sizeof sums);
  }
}

static void multiply(struct thread *t, unsigned opcode, unsigned prefix, unsigned to, unsigned a, unsigned b) {
  check_tile(t, to), check_tile(t, a), check_tile(t, b);
  if (to == a || to == b || a == b) refuse("one tile in two places");
  if (bytes_of(t, a) % 4 || bytes_of(t, b) % 4 || bytes_of(t, to) % 4) refuse("a row that is no whole dwords");
  if (rows_of(t, to) != rows_of(t, a) || bytes_of(t, to) != bytes_of(t, b) || bytes_of(t, a) / 4 != rows_of(t, b))
    refuse("tiles that do not fit together");
  if (opcode != 0x5e) refuse("an instruction that is not emulated");
  add_products_of_bytes(t, to, a, b, prefix == PREFIX_F2 || prefix == PREFIX_F3,
                        prefix == PREFIX_F2 || prefix == PREFIX_66);
}

static uint64_t general(const ucontext_t *context, unsigned number) {
  static const int places[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                               REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return (uint64_t)context->uc_mcontext.gregs[places[number]];
}

struct operand {
  uint64_t address, index; /* of the base and displacement; the index register, scaled, which is a tile's stride */
  int sib;
  const uint8_t *end; /* of the instruction */
};

/* A memory operand. `at` is behind ModRM; `base_high` and `index_high` are the registers' fourth bits. */
static struct operand operand(const ucontext_t *context, const uint8_t *at, uint8_t modrm, unsigned base_high,
                              unsigned index_high) {
  unsigned mod = modrm >> 6, base = modrm & 7;
  struct operand found = {.sib = base == 4};
  int relative = mod == 0 && base == 5, none = 0;
  if (found.sib) {
    uint8_t sib = *at++;
    unsigned index = (sib >> 3 & 7) | index_high;
    base = sib & 7;
    none = mod == 0 && base == 5;
    if (index != 4) found.index = general(context, index) << (sib >> 6);
  }
  int32_t displacement = 0;
  if (mod == 1) {
    displacement = (int8_t)*at++;
  } else if (mod == 2 || relative || none) {
    memcpy(&displacement, at, 4);
    at += 4;
  }
  found.end = at;
  found.address = relative ? (uint64_t)(uintptr_t)at : none ? 0 : general(context, base | base_high);
  found.address += (uint64_t)(int64_t)displacement;
  return found;
}

/* Computes the instruction that a program stands at, and goes on behind it. False: it is none of AMX's. */
static int execute(ucontext_t *context) {
  const uint8_t *at = (const uint8_t *)(uintptr_t)context->uc_mcontext.gregs[REG_RIP];
  /* VEX in three bytes, of the map 0F38, 128 bits, W = 0; R, X, B and vvvv are turned over */
  if (at[0] != 0xc4 || (at[1] & 31) != 2 || at[2] & 0x84) return 0;
  uint8_t opcode = at[3], modrm = at[4];
  unsigned prefix = at[2] & 3, other = ~at[2] >> 3 & 15, reg = modrm >> 3 & 7, mod = modrm >> 6;
  unsigned base_high = at[1] & 0x20 ? 0 : 8, index_high = at[1] & 0x40 ? 0 : 8;
  if (opcode != 0x49 && opcode != 0x4b && opcode != 0x5e && opcode != 0x5c) return 0;
  struct thread *t = thread();
  const uint8_t *end = at + 5;
  if (opcode == 0x5e || opcode == 0x5c) {
    if (mod != REGISTER) return 0;
    multiply(t, opcode, prefix, reg, modrm & 7, other);
  } else if (opcode == 0x49 && mod == REGISTER) {
    if (prefix == NO_PREFIX && modrm == 0xc0) {
      memset(t, 0, sizeof *t); /* TILERELEASE */
    } else if (prefix == PREFIX_F2 && !(modrm & 7)) {
      check_tile(t, reg); /* TILEZERO */
      memset(&t->tiles[reg], 0, sizeof t->tiles[reg]);
    } else {
      return 0;
    }
  } else {
    if (mod == REGISTER) return 0;
    struct operand memory = operand(context, end, modrm, base_high, index_high);
    end = memory.end;
    if (opcode == 0x49) {
      uint8_t *place = (uint8_t *)(uintptr_t)memory.address;
      if (reg || prefix > PREFIX_66) return 0;
      if (prefix == NO_PREFIX) {
        configure(t, place); /* LDTILECFG */
      } else {
        memcpy(place, t->configuration, CONFIGURATION); /* STTILECFG */
      }
    } else {
      check_tile(t, reg);
      if (!memory.sib || prefix == NO_PREFIX) refuse("a tile's memory without a base and a stride");
      struct tile *tile = &t->tiles[reg];
      if (prefix != PREFIX_F3) memset(tile, 0, sizeof *tile);
      for (unsigned row = 0; row < rows_of(t, reg); row++, memory.address += memory.index) {
        void *place = (void *)(uintptr_t)memory.address;
        if (prefix == PREFIX_F3) {
          memcpy(place, tile->rows[row], bytes_of(t, reg)); /* TILESTORED */
        } else {
          memcpy(tile->rows[row], place, bytes_of(t, reg)); /* TILELOADD, TILELOADDT1 */
        }
      }
    }
  }
  context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)end;
  __atomic_add_fetch(&executed, 1, __ATOMIC_RELAXED);
  return 1;
}

static void trapped(int number, siginfo_t *info, void *context) {
  (void)info;
  int saved = errno;
  if (!execute(context)) {
    sigaction(number, &before, NULL); /* it traps again, and goes to who was there before */
  } else {
    while (execute(context)) /* what stands behind it would trap next: a trap takes longer than the instruction */
      ;
  }
  errno = saved;
}

/* How many of AMX's instructions were computed, by all threads. */
uint64_t amx_executed(void);
uint64_t amx_executed(void) { return __atomic_load_n(&executed, __ATOMIC_RELAXED); }

/* Whether this thread's tiles are as TILERELEASE leaves them. */
int amx_released(void);
int amx_released(void) { return !thread()->configuration[0]; }

/* Answers arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) from now on: 0 grants tile data, an errno refuses it. */
static void answer(int error) {
  enum { ASK = 0x1023, TILE_DATA = 18 }; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ASK, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TILE_DATA, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error), /* 0: it says yes, and does nothing */
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
    refuse("to answer for the system");
}

__attribute__((constructor)) static void install(void) {
  struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGILL, &action, &before)) refuse("signals");
  const char *system = getenv("AMX_SYSTEM");
  if (system) answer(atoi(system));
}

__attribute__((destructor)) static void report(void) {
  const char *path = getenv("AMX_REPORT");
  FILE *out = path ? fopen(path, "w") : NULL;
  if (!out) return;
  fprintf(out, "%llu\n", (unsigned long long)amx_executed());
  fclose(out);
}
