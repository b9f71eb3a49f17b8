plugins {
  id("com.android.application")
  id("org.jetbrains.kotlin.android")
}

android {
  namespace = "g2p.example"
  compileSdk = 35
  defaultConfig {
    applicationId = "g2p.example"
    minSdk = 21
    targetSdk = 35
    versionCode = 1
    versionName = "1"
  }
  // Without this the weights would be compressed in the app, and unpacked into memory whenever it starts.
  androidResources { noCompress += "tar" }
  compileOptions {
    sourceCompatibility = JavaVersion.VERSION_11
    targetCompatibility = JavaVersion.VERSION_11
  }
  kotlin { compilerOptions { jvmTarget = org.jetbrains.kotlin.gradle.dsl.JvmTarget.JVM_11 } }
}

dependencies {
  // doit aar dtype=int8 target=android_arm64,android_x86_64 && cp dist/g2p_embedded-*.aar examples/android/app/libs/
  implementation(fileTree("libs") { include("*.aar") })
  implementation("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.10.2")
}
