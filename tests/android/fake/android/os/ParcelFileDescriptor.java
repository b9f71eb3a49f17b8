package android.os;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.lang.reflect.Field;

public class ParcelFileDescriptor {
  private final FileInputStream file;

  public ParcelFileDescriptor(FileInputStream file) {
    this.file = file;
  }

  public int getFd() {
    try {
      Field number = FileDescriptor.class.getDeclaredField("fd");
      number.setAccessible(true);
      return number.getInt(file.getFD());
    } catch (java.io.IOException | ReflectiveOperationException error) {
      throw new IllegalStateException(error);
    }
  }
}
