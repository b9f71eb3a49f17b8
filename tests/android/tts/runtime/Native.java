package tts.runtime;

import java.io.FileInputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Calls the functions in C, which the Kotlin class of this name declares too, without Kotlin. */
public final class Native {
  static {
    System.loadLibrary("tts");
  }

  static native byte[] open(byte[] path, int threads);

  static native byte[] openDescriptor(int file, long at, long length, int threads);

  static native byte[] openBytes(byte[] weights, int threads);

  static native byte[] addVoices(long handle, byte[] path);

  static native byte[] addVoicesDescriptor(long handle, int file, long at, long length);

  static native byte[] addVoicesBytes(long handle, byte[] voices);

  static native void close(long handle);

  static native void trim(long handle);

  static native long flag(int nothing);

  static native void raise(long flag);

  static native void release(long flag);

  static native byte[] about(long handle);

  static native byte[] voices(long handle);

  static native byte[] begin(
      long handle, byte[] phonemes, byte[] shares, float speed, long seed, int threads, int flags, long flag);

  static native byte[] next(long utterance);

  static native void end(long utterance);

  static native byte[] read(
      long handle, byte[] text, byte[] lang, long words, long nextPart, long pronounce, long flag);

  static ByteBuffer good(byte[] returned) {
    ByteBuffer buffer = ByteBuffer.wrap(returned).order(ByteOrder.nativeOrder());
    int status = buffer.getInt();
    if (status != 0) {
      int place = buffer.getInt();
      String message = new String(returned, 8, returned.length - 8, StandardCharsets.UTF_8);
      throw new IllegalStateException(status + " " + place + " " + message);
    }
    return buffer;
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static byte[] shares(String name, float weight) {
    byte[] data = utf8(name);
    return ByteBuffer.allocate(data.length + 5).order(ByteOrder.nativeOrder()).putFloat(weight).put(data).array();
  }

  static long begun(long handle, String phonemes, int flags, long flag) {
    return good(begin(handle, utf8(phonemes), shares("first", 1), 1, 7, 2, flags, flag)).getLong();
  }

  /** The samples of all pieces, and what is known of each timing. */
  static byte[] said(long handle, String phonemes, List<String> timings) {
    long utterance = begun(handle, phonemes, 2, 0);
    java.io.ByteArrayOutputStream samples = new java.io.ByteArrayOutputStream();
    for (boolean isLast = false; !isLast; ) {
      ByteBuffer piece = good(next(utterance));
      isLast = piece.getInt() != 0;
      long first = piece.getLong();
      int timed = piece.getInt(), count = piece.getInt();
      if (first * 4 != samples.size()) throw new IllegalStateException("a piece begins at sample " + first);
      for (; timed > 0; timed--) timings.add(piece.getInt() + " " + piece.getLong() + " " + piece.getInt());
      if (piece.remaining() != 4 * count) throw new IllegalStateException(piece.remaining() + " bytes");
      samples.write(piece.array(), piece.position(), piece.remaining());
    }
    end(utterance);
    return samples.toByteArray();
  }

  static String failure(Runnable call) {
    try {
      call.run();
      return "nothing";
    } catch (IllegalStateException error) {
      return error.getMessage();
    }
  }

  static void say(String text) {
    System.out.write(utf8(text + "\n"), 0, utf8(text).length + 1);
    System.out.flush();
  }

  /** The file number of a stream, which Android's ParcelFileDescriptor gives out. */
  static int number(FileInputStream file) throws Exception {
    java.lang.reflect.Field field = java.io.FileDescriptor.class.getDeclaredField("fd");
    field.setAccessible(true);
    return field.getInt(file.getFD());
  }

  /** Arguments: the weights, the voices, both behind 68 other bytes, phonemes, a file for their samples, words' weights. */
  public static void main(String[] arguments) throws Exception {
    long mapped = good(open(utf8(arguments[0]), 2)).getLong();
    good(addVoices(mapped, utf8(arguments[1])));
    List<String> timings = new ArrayList<>();
    byte[] samples = said(mapped, arguments[4], timings);
    Files.write(Path.of(arguments[5]), samples);
    for (String timing : timings) say(timing);
    long read;
    try (FileInputStream weights = new FileInputStream(arguments[2]);
        FileInputStream voices = new FileInputStream(arguments[3])) {
      read = good(openDescriptor(number(weights), 68, Files.size(Path.of(arguments[0])), 1)).getLong();
      good(addVoicesDescriptor(read, number(voices), 68, Files.size(Path.of(arguments[1]))));
      int file = number(voices);
      say(failure(() -> good(addVoicesDescriptor(read, file, 68, 1 << 30))));
    }
    long copied = good(openBytes(Files.readAllBytes(Path.of(arguments[0])), 1)).getLong();
    good(addVoicesBytes(copied, Files.readAllBytes(Path.of(arguments[1]))));
    for (long handle : new long[] {read, copied}) {
      say(String.valueOf(java.util.Arrays.equals(said(handle, arguments[4], timings), samples)));
      trim(handle);
    }
    ByteBuffer names = good(voices(copied));
    say(new String(names.array(), names.position(), names.remaining(), StandardCharsets.UTF_8).replace('\0', ' '));
    ByteBuffer about = good(about(copied));
    say(about.getInt() + " " + about.getInt() + " " + about.getInt() + " " + about.getFloat() + " " + about.getFloat());
    say(failure(() -> begun(copied, "həlˈ☃O", 0, 0)));
    end(begun(copied, "həlˈ☃O", 1, 0));
    say(failure(() -> begun(copied, "", 0, 0)).substring(0, 4));
    say(failure(() -> good(begin(copied, utf8("a"), shares("nobody", 1), 1, 0, 0, 0, 0))).substring(0, 5));
    say(failure(() -> good(begin(copied, utf8("a"), shares("first", 1), 9, 0, 0, 0, 0))).substring(0, 4));
    say(failure(() -> good(open(utf8("/no\0where"), 0))));
    say(failure(() -> good(open(utf8("/nowhere"), 0))));
    say(failure(() -> good(addVoices(copied, utf8("/no\0where")))));
    say(failure(() -> good(openBytes(new byte[0], 0))).substring(0, 5));
    say(failure(() -> good(addVoicesBytes(copied, new byte[100]))).substring(0, 5));
    long flag = flag(0);
    long stopped = begun(copied, arguments[4], 0, flag);
    raise(flag);
    say(failure(() -> good(next(stopped))));
    end(stopped);
    release(flag);
    long[] lent = g2p.runtime.Native.lentBy(arguments[6]);
    say(text(good(read(copied, utf8("Hello, “Moon”!"), utf8("eng-us"), lent[1], lent[2], lent[3], 0))));
    say(failure(() -> good(read(copied, utf8("Hello 2"), utf8("eng-us"), lent[1], lent[2], lent[3], 0))).substring(0, 5));
    say(failure(() -> good(read(copied, utf8("tie"), utf8("fin"), lent[1], lent[2], lent[3], 0))).substring(0, 4));
    say(failure(() -> good(read(copied, utf8("tie"), utf8("f\0n"), lent[1], lent[2], lent[3], 0))));
    g2p.runtime.Native.closed(lent[0]);
    close(copied);
    close(read);
    close(mapped);
  }

  static String text(ByteBuffer buffer) {
    byte[] data = new byte[buffer.getInt()];
    buffer.get(data);
    return new String(data, StandardCharsets.UTF_8);
  }
}
