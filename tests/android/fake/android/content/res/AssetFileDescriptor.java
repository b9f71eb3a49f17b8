package android.content.res;

import java.io.Closeable;
import java.io.FileInputStream;
import java.io.IOException;

public class AssetFileDescriptor implements Closeable {
  private final FileInputStream file;

  AssetFileDescriptor(FileInputStream file) {
    this.file = file;
  }

  public android.os.ParcelFileDescriptor getParcelFileDescriptor() {
    return new android.os.ParcelFileDescriptor(file);
  }

  public long getStartOffset() {
    return 0;
  }

  public long getLength() {
    try {
      return file.getChannel().size();
    } catch (IOException error) {
      return -1;
    }
  }

  @Override
  public void close() throws IOException {
    file.close();
  }
}
