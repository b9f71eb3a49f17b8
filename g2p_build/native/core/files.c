/* Read-only mappings of files, by mmap or MapViewOfFile. An empty file, which neither maps, is 0 bytes. */
#if defined(G2P_NO_FILES)

#include "core.h"

g2p_status g2p_map(const char *path, struct g2p_mapping *mapping, g2p_error *error) {
  (void)path, (void)mapping;
  return g2p_fail(error, G2P_UNSUPPORTED, "this build of the library opens no files: open from memory");
}

void g2p_unmap(struct g2p_mapping *mapping) { (void)mapping; }

#elif defined(_WIN32)

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "core.h"

static const _Alignas(G2P_ALIGNMENT) char nothing[1]; /* as aligned as what is mapped */

g2p_status g2p_map(const char *path, struct g2p_mapping *mapping, g2p_error *error) {
  wchar_t wide[4096];
  LARGE_INTEGER size;
  HANDLE file = INVALID_HANDLE_VALUE;
  *mapping = (struct g2p_mapping){nothing, 0, NULL};
  if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, sizeof wide / sizeof *wide)) {
    file = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                       FILE_ATTRIBUTE_NORMAL, NULL);
  }
  if (file == INVALID_HANDLE_VALUE) {
    return g2p_fail(error, G2P_NO_FILE, "there is no file that can be read at %s: name another", path);
  }
  if (GetFileType(file) != FILE_TYPE_DISK || !GetFileSizeEx(file, &size) || (uint64_t)size.QuadPart > SIZE_MAX) {
    CloseHandle(file);
    return g2p_fail(error, G2P_NO_FILE, "%s is no file that can be mapped: name another", path);
  }
  if (size.QuadPart) {
    HANDLE section = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    mapping->handle = section ? MapViewOfFile(section, FILE_MAP_READ, 0, 0, 0) : NULL;
    if (section) {
      CloseHandle(section); /* the view keeps it */
    }
  }
  CloseHandle(file);
  if (size.QuadPart && !mapping->handle) {
    return g2p_fail(error, G2P_NO_FILE, "%s cannot be mapped into memory", path);
  }
  if (mapping->handle) {
    mapping->data = mapping->handle;
    mapping->size = (size_t)size.QuadPart;
  }
  return G2P_OK;
}

void g2p_unmap(struct g2p_mapping *mapping) {
  if (mapping->handle) {
    UnmapViewOfFile(mapping->handle);
    mapping->handle = NULL;
  }
}

#else

#define _POSIX_C_SOURCE 200809L /* -std=c11 alone hides these headers' functions */
#define _FILE_OFFSET_BITS 64

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core.h"

static const _Alignas(G2P_ALIGNMENT) char nothing[1]; /* as aligned as what is mapped */

g2p_status g2p_map(const char *path, struct g2p_mapping *mapping, g2p_error *error) {
  struct stat found;
  *mapping = (struct g2p_mapping){nothing, 0, NULL};
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer would wait for one */
  if (file < 0) {
    bool missing = errno == ENOENT || errno == ENOTDIR;
    return g2p_fail(error, G2P_NO_FILE,
                    missing ? "there is no file at %s: name another"
                            : "%s cannot be read: see to "
                              "its permissions, or name another",
                    path);
  }
  if (fstat(file, &found) || !S_ISREG(found.st_mode)) {
    close(file);
    return g2p_fail(error, G2P_NO_FILE, "%s is no file, but a folder or the like: name a file", path);
  }
  if (found.st_size) {
    bool fits = (uint64_t)found.st_size <= SIZE_MAX;
    void *data = fits ? mmap(NULL, (size_t)found.st_size, PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
    if (data == MAP_FAILED) {
      g2p_status status = !fits || errno == ENOMEM ? G2P_NO_MEMORY : G2P_NO_FILE;
      close(file);
      return g2p_fail(error, status, "%s cannot be mapped into memory", path);
    }
    *mapping = (struct g2p_mapping){data, (size_t)found.st_size, data};
  }
  close(file); /* the mapping stays */
  return G2P_OK;
}

void g2p_unmap(struct g2p_mapping *mapping) {
  if (mapping->handle) {
    munmap(mapping->handle, mapping->size);
    mapping->handle = NULL;
  }
}

#endif
