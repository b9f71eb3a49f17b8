package android.content.res;

import java.io.FileInputStream;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;

/** Assets in a folder, stored or (as it says) compressed. */
public final class AssetManager {
  private final Path folder;
  private final boolean compressed;

  public AssetManager(Path folder, boolean compressed) {
    this.folder = folder;
    this.compressed = compressed;
  }

  public InputStream open(String name) throws IOException {
    return new FileInputStream(folder.resolve(name).toFile());
  }

  public AssetFileDescriptor openFd(String name) throws IOException {
    if (compressed) throw new FileNotFoundException("This file can not be opened as a file descriptor");
    return new AssetFileDescriptor(new FileInputStream(folder.resolve(name).toFile()));
  }
}
