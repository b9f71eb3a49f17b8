/* A plugin of QEMU's user-mode emulator, which counts the instructions that a program executes.
 *
 *   qemu-aarch64 -plugin count.so,out=FILE PROGRAM
 *
 * Each time the program calls write(1, ...), FILE gets a line: how many there were until then. All threads count
 * together; what they do at the same time may be lost. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What this needs of qemu-plugin.h, version 1, which Debian's packages leave out. */
typedef uint64_t plugin_id;
struct block;
typedef void on_block(plugin_id, struct block *);
typedef void on_call(plugin_id, unsigned, int64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t,
                     uint64_t);
enum { INLINE_ADD_U64 };
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, on_block *);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, on_call *);
void qemu_plugin_register_vcpu_tb_exec_inline(struct block *, int, void *, uint64_t);
size_t qemu_plugin_tb_n_insns(const struct block *);

int qemu_plugin_version = 1;

enum { WRITE = 64 }; /* of Linux's system calls on AArch64 */

static uint64_t executed;
static FILE *out;

static void block(plugin_id id, struct block *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(block, INLINE_ADD_U64, &executed, qemu_plugin_tb_n_insns(block));
}

static void call(plugin_id id, unsigned cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                 uint64_t f, uint64_t g, uint64_t h) {
  (void)id, (void)cpu, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
  if (number == WRITE && a == 1) {
    fprintf(out, "%" PRIu64 "\n", executed);
    fflush(out);
  }
}

int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments) {
  (void)info;
  out = count == 1 && strncmp(arguments[0], "out=", 4) == 0 ? fopen(arguments[0] + 4, "w") : NULL;
  if (!out) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, block);
  qemu_plugin_register_vcpu_syscall_cb(id, call);
  return 0;
}
