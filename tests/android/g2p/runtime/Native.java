package g2p.runtime;

import java.io.FileInputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Calls the functions in C, which the Kotlin class of this name declares too, without Kotlin. */
public final class Native {
  static {
    System.loadLibrary("g2p");
  }

  static native byte[] open(byte[] path, int flags, int threads);

  static native byte[] openDescriptor(int file, long at, long length, int flags, int threads);

  static native byte[] openBytes(byte[] weights, int flags, int threads);

  static native void close(long handle);

  static native long flag(int nothing);

  static native void raise(long flag);

  static native void release(long flag);

  static native byte[] results(long handle, byte[] words, int count, byte[] lang, int flags, int threads, long flag);

  static native byte[] best(
      long handle, byte[] words, int count, byte[] lang, int flags, int threads, long flag, int most, int beams, int early);

  static native byte[] language(long handle, byte[] tag);

  static native byte[] cacheWords(long handle, int words);

  static native byte[] addLexicon(long handle, byte[] lines, byte[] lang);

  static native byte[] parts(byte[] text);

  static native byte[] about(long handle);

  static native byte[] lent(long handle);

  /** Opens a model: its handle, and what it lends to another library. */
  public static long[] lentBy(String weights) {
    long handle = read(open(utf8(weights), 0, 1)).getLong();
    ByteBuffer lent = read(lent(handle));
    return new long[] {handle, lent.getLong(), lent.getLong(), lent.getLong()};
  }

  public static void closed(long handle) {
    close(handle);
  }

  static ByteBuffer read(byte[] returned) {
    ByteBuffer buffer = ByteBuffer.wrap(returned).order(ByteOrder.nativeOrder());
    int status = buffer.getInt();
    if (status != 0) {
      int word = buffer.getInt();
      String message = new String(returned, 8, returned.length - 8, StandardCharsets.UTF_8);
      throw new IllegalStateException(status + " " + word + " " + message);
    }
    return buffer;
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static String text(ByteBuffer buffer) {
    byte[] data = new byte[buffer.getInt()];
    buffer.get(data);
    return new String(data, StandardCharsets.UTF_8);
  }

  static byte[] words(String[] words) {
    ByteBuffer buffer = ByteBuffer.allocate(1 << 20).order(ByteOrder.nativeOrder());
    for (String word : words) buffer.putInt(utf8(word).length);
    for (String word : words) buffer.put(utf8(word));
    return java.util.Arrays.copyOf(buffer.array(), buffer.position());
  }

  static String said(long handle, String word, String lang, int flags, long flag) {
    ByteBuffer buffer = read(results(handle, words(new String[] {word}), 1, utf8(lang), flags, 0, flag));
    int number = buffer.getInt(), status = buffer.getInt(), source = buffer.getInt(), marks = buffer.getInt();
    buffer.getFloat();
    String phonemes = text(buffer), message = text(buffer);
    return status == 0 ? phonemes : status + " " + message;
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

  /** Arguments: the weights, a file that begins with 68 other bytes, one that begins with 4160, a list of words. */
  public static void main(String[] arguments) throws Exception {
    long mapped = read(open(utf8(arguments[0]), 0, 2)).getLong();
    List<String> lines = Files.readAllLines(Path.of(arguments[3]));
    for (String line : lines) {
      String[] parts = line.split("\t");
      say(said(mapped, parts[1], parts[0], 8, 0));
    }
    for (int place = 1; place < 3; place++) {
      try (FileInputStream file = new FileInputStream(arguments[place])) {
        long begin = place == 1 ? 68 : 4160, size = Files.size(Path.of(arguments[0]));
        long handle = read(openDescriptor(number(file), begin, size, 0, 1)).getLong();
        say(said(handle, "tie", "fin", 0, 0));
        close(handle);
        int number = number(file);
        say(failure(() -> read(openDescriptor(number, begin, size + 1, 0, 1))));
      }
    }
    long copied = read(openBytes(Files.readAllBytes(Path.of(arguments[0])), 2, 1)).getLong();
    say(said(copied, "tie", "fin", 0, 0));
    read(addLexicon(copied, utf8("tie\tT\n"), utf8("fin")));
    say(said(copied, "tie", "fin", 0, 0));
    say(failure(() -> read(addLexicon(copied, utf8("tie"), utf8("fin")))));
    say(said(copied, "2nd", "eng-us", 4, 0).substring(0, 2));
    say(failure(() -> said(copied, "2nd", "eng-us", 0, 0)).substring(0, 4));
    say(failure(() -> said(copied, "tie", "fi\0n", 0, 0)));
    say(failure(() -> read(open(utf8("/no\0where"), 0, 0))));
    say(failure(() -> read(open(utf8("/nowhere"), 0, 0))));
    say(failure(() -> read(openBytes(new byte[100], 0, 0))).substring(0, 5));
    say(failure(() -> read(openBytes(new byte[0], 0, 0))));
    long flag = flag(0);
    raise(flag);
    say(failure(() -> said(copied, "knight", "eng-us", 8, flag)).substring(0, 4));
    release(flag);
    ByteBuffer parts = read(parts(utf8("Hei, tie 2")));
    StringBuilder found = new StringBuilder();
    while (parts.hasRemaining()) found.append(parts.getInt()).append(':').append(parts.getInt()).append(' ');
    say(found.toString().trim());
    ByteBuffer best = read(best(copied, words(new String[] {"knight", "2nd"}), 2, utf8("en"), 4, 0, 0, 2, 4, 0));
    StringBuilder ranked = new StringBuilder();
    while (best.hasRemaining()) {
      ranked.append(best.getInt()).append(':').append(best.getInt()).append(' ');
      best.getInt();
      best.getInt();
      best.getFloat();
      text(best);
      text(best);
    }
    say(ranked.toString().trim());
    say(failure(() -> read(best(copied, words(new String[0]), 0, utf8("en"), 0, 0, 0, 5, 4, 0))));
    say(text(read(language(copied, utf8("en-US")))));
    say(failure(() -> read(language(copied, utf8("xx")))).substring(0, 4));
    read(cacheWords(copied, 4));
    say(failure(() -> read(cacheWords(copied, 1 << 30))).substring(0, 4));
    ByteBuffer about = read(about(copied));
    say(about.getInt() + " " + text(about));
    close(copied);
    close(mapped);
  }
}
