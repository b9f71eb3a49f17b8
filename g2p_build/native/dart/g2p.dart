/// Pronounces words on the device, without a network.
///
/// ```dart
/// final g2p = await G2P.load();
/// final results = await g2p.pronounce(['knight'], language: 'eng-us'); // results[0].phonemes: ˈnaɪt
/// ```
library;

import 'dart:convert';
import 'dart:ffi' as ffi;
import 'dart:io';
import 'dart:isolate';
import 'dart:typed_data';

import 'package:ffi/ffi.dart';
import 'package:flutter/services.dart';

import 'src/bindings.dart';

/// What went wrong.
final class G2PException implements Exception {
  const G2PException(this.status, this.message, {this.word});

  /// Why: one of the numbers that begin with `G2P_` in the C header, such as 7 for an unknown language.
  final int status;

  /// One line, for the person at the keyboard.
  final String message;

  /// Which of the words, from 0; null where it was none of them.
  final int? word;

  @override
  String toString() => message;
}

/// Where a pronunciation comes from.
enum Source { model, lexicon, user, letters }

/// One word, pronounced.
final class Pronunciation {
  const Pronunciation(this.word, this.phonemes, this.source, this.error,
      {required this.isTruncated, required this.repeats, required this.score});

  /// As it was given.
  final String word;

  /// Empty where there is an error.
  final String phonemes;

  final Source source;

  /// What is wrong with the word; null where nothing is.
  final G2PException? error;

  /// The bound was reached, and the model had not ended the word.
  final bool isTruncated;

  /// The pronunciation ends in one part again and again, at least four times.
  final bool repeats;

  /// Mean natural log-probability, where it was asked for.
  final double score;
}

/// Stops the calls that it was given to, and later ones too.
final class Cancel implements ffi.Finalizable {
  Cancel() {
    _finalizer.attach(this, _flag.cast());
  }

  static final _finalizer = ffi.NativeFinalizer(calloc.nativeFree);
  final ffi.Pointer<ffi.Int32> _flag = calloc<ffi.Int32>();

  /// Asks the calls to stop; they throw a [G2PException] with status 1.
  void cancel() => _flag.value = 1;
}

/// A model. It is freed when nothing refers to it any more.
final class G2P implements ffi.Finalizable {
  G2P._(this._address) {
    _finalizer.attach(this, ffi.Pointer.fromAddress(_address));
  }

  /// Opens the weights that come with the package, which are copied into memory.
  static Future<G2P> load({int threads = 0}) async {
    final data = await rootBundle.load('packages/g2p/assets/weights.tar');
    final size = data.lengthInBytes;
    // The library wants a multiple of 64, and the allocator promises less. It stays for as long as the process: models
    // that are loaded again share it.
    final begin = _weights ??= _aligned(data, size);
    return _opened(threads, (options, model, error) {
      return _functions.g2p_open_memory(begin.cast(), size, options, model, error);
    });
  }

  /// Opens a weights archive, a file that is mapped and must stay as it is.
  static G2P open(String path, {int threads = 0}) {
    return using((arena) {
      final name = _text(arena, path);
      return _opened(threads, (options, model, error) => _functions.g2p_open(name, options, model, error));
    });
  }

  static ffi.Pointer<ffi.Uint8>? _weights;

  static ffi.Pointer<ffi.Uint8> _aligned(ByteData data, int size) {
    final memory = malloc<ffi.Uint8>(size + 63);
    final begin = ffi.Pointer<ffi.Uint8>.fromAddress((memory.address + 63) & ~63);
    begin.asTypedList(size).setAll(0, data.buffer.asUint8List(data.offsetInBytes, size));
    return begin;
  }

  static final _library = Platform.isIOS || Platform.isMacOS
      ? ffi.DynamicLibrary.process()
      : ffi.DynamicLibrary.open('libg2p.so');
  static final _functions = G2PFunctions(_library);
  static final _finalizer =
      ffi.NativeFinalizer(_library.lookup<ffi.NativeFinalizerFunction>('g2p_close'));

  final int _address;

  ffi.Pointer<g2p> get _model => ffi.Pointer.fromAddress(_address);

  /// The codes of the languages; null where the model takes any code.
  List<String>? get languages {
    return using((arena) {
      final count = arena<ffi.Size>();
      final codes = _functions.g2p_languages(_model, count);
      if (codes == ffi.nullptr) return null;
      return [for (var i = 0; i < count.value; i++) (codes + i).value.cast<Utf8>().toDartString()];
    });
  }

  /// What the model is, as a JSON object.
  String get info => _functions.g2p_info(_model).cast<Utf8>().toDartString();

  /// Pronounces words, in their order, in an isolate of its own. A wrong word ends nothing: its own result says what is
  /// wrong.
  ///
  /// Throws a [G2PException] where the language is unknown, there is no memory, or [cancel] was asked to stop.
  Future<List<Pronunciation>> pronounce(List<String> words,
      {required String language, bool scores = false, Cancel? cancel}) async {
    final address = _address, flag = cancel?._flag.address ?? 0; // an isolate is sent numbers
    final flags = G2P_EACH | (scores ? G2P_SCORES : 0);
    final found = await Isolate.run(() => _ask(address, words, language, flags, flag));
    return found;
  }

  /// The best pronunciations of each word, the best first, with their scores, in an isolate of its own.
  ///
  /// They are those of beam search, as transformers' `generate` makes it: up to [count] of each word, no more than [beams],
  /// which are the beginnings that are kept at each step, up to 64. A word that a lexicon has gets its pronunciations from
  /// there; a wrong word has one, which says what is wrong.
  ///
  /// Throws a [G2PException] where the language is unknown, too much is asked for, there is no memory, or [cancel] was asked
  /// to stop.
  Future<List<List<Pronunciation>>> best(List<String> words,
      {required String language,
      int count = 3,
      int beams = 4,
      bool earlyStopping = false,
      Cancel? cancel}) async {
    final address = _address, flag = cancel?._flag.address ?? 0;
    final search = (count: count, beams: beams, early: earlyStopping);
    final found = await Isolate.run(() => _found(address, words, language, G2P_EACH, flag, search));
    return found;
  }

  /// As [pronounce], on this isolate.
  List<Pronunciation> pronounceSync(List<String> words, {required String language, bool scores = false}) =>
      _ask(_address, words, language, G2P_EACH | (scores ? G2P_SCORES : 0), 0);

  /// The model's own code for a BCP 47 tag: `eng-us` for `en-US`. Every call takes both.
  ///
  /// Throws a [G2PException] where the model does not know the language, or the tag may mean several.
  String language(String tag) {
    return using((arena) {
      final code = arena<ffi.Pointer<ffi.Char>>();
      final error = arena<g2p_error>();
      _check(_functions.g2p_find_language(_model, _text(arena, tag), code, error), error);
      return code.value.cast<Utf8>().toDartString();
    });
  }

  /// Keeps what the model said of the [count] words that were used last, so that it need not say it again; 0, as at first, for
  /// none. Results are the same. The memory is taken at once.
  ///
  /// Throws a [G2PException] where there is no memory for so many.
  void cacheWords(int count) {
    using((arena) {
      final error = arena<g2p_error>();
      _check(_functions.g2p_cache_words(_model, count, error), error);
    });
  }

  /// Adds words of the app's own, which come before the model: a word → its pronunciation.
  void addWords(Map<String, String> words, {required String language}) {
    using((arena) {
      final lines = utf8.encode(words.entries.map((each) => '${each.key}\t${each.value}\n').join());
      final data = _bytes(arena, lines);
      final code = _text(arena, language);
      final error = arena<g2p_error>();
      _check(_functions.g2p_add_lexicon_memory(_model, data.cast(), lines.length, code, error), error);
    });
  }

  static List<Pronunciation> _ask(int model, List<String> words, String language, int flags, int flag) =>
      [for (final each in _found(model, words, language, flags, flag, null)) each[0]];

  /// The results of each word: one, or with a search up to as many as it asks for.
  static List<List<Pronunciation>> _found(int model, List<String> words, String language, int flags,
      int flag, ({int count, int beams, bool early})? asked) {
    return using((arena) {
      final texts = arena<g2p_text>(words.length + 1);
      for (final (i, word) in words.indexed) {
        final data = utf8.encode(word);
        (texts + i).ref.data = _bytes(arena, data).cast();
        (texts + i).ref.size = data.length;
      }
      final request = arena<g2p_request>();
      request.ref.size = ffi.sizeOf<g2p_request>();
      request.ref.words = texts;
      request.ref.count = words.length;
      request.ref.lang = _text(arena, language);
      request.ref.flags = flags;
      request.ref.cancel = ffi.Pointer.fromAddress(flag);
      final error = arena<g2p_error>();
      final found = arena<g2p_results>();
      final pointer = ffi.Pointer<g2p>.fromAddress(model);
      if (asked == null) {
        _check(_functions.g2p_results_all(pointer, request, found, error), error);
      } else {
        final search = arena<g2p_search>();
        search.ref.size = ffi.sizeOf<g2p_search>();
        search.ref.count = asked.count;
        search.ref.beams = asked.beams;
        search.ref.early = asked.early ? 1 : 0;
        _check(_functions.g2p_best(pointer, request, search, found, error), error);
      }
      try {
        final each = [for (final _ in words) <Pronunciation>[]];
        for (var i = 0; i < found.ref.count; i++) {
          final result = (found.ref.data + i).ref;
          each[result.word].add(_pronunciation(words[result.word], result.word, result));
        }
        return each;
      } finally {
        _functions.g2p_free_results(pointer, found);
      }
    });
  }

  static Pronunciation _pronunciation(String word, int number, g2p_result result) {
    final error = result.status == G2P_OK
        ? null
        : G2PException(result.status, _string(result.message), word: number);
    return Pronunciation(word, _string(result.phonemes), Source.values[result.source], error,
        isTruncated: result.truncated != 0, repeats: result.repeats != 0, score: result.score);
  }

  static G2P _opened(
      int threads,
      int Function(ffi.Pointer<g2p_options>, ffi.Pointer<ffi.Pointer<g2p>>, ffi.Pointer<g2p_error>)
          call) {
    return using((arena) {
      final options = arena<g2p_options>();
      options.ref.size = ffi.sizeOf<g2p_options>();
      options.ref.threads = threads;
      final model = arena<ffi.Pointer<g2p>>();
      final error = arena<g2p_error>();
      _check(call(options, model, error), error);
      return G2P._(model.value.address);
    });
  }

  static void _check(int status, ffi.Pointer<g2p_error> error) {
    if (status == G2P_OK) return;
    final bytes = <int>[];
    for (var i = 0; i < 240 && error.ref.message[i] != 0; i++) {
      bytes.add(error.ref.message[i] & 255);
    }
    final word = error.ref.word;
    throw G2PException(status, utf8.decode(bytes, allowMalformed: true), word: word < 0 ? null : word);
  }

  static String _string(g2p_text text) =>
      text.size == 0 ? '' : utf8.decode(text.data.cast<ffi.Uint8>().asTypedList(text.size));

  static ffi.Pointer<ffi.Uint8> _bytes(Arena arena, List<int> data) {
    final memory = arena<ffi.Uint8>(data.length + 1);
    memory.asTypedList(data.length + 1)
      ..setAll(0, data)
      ..[data.length] = 0;
    return memory;
  }

  static ffi.Pointer<ffi.Char> _text(Arena arena, String text) {
    if (text.contains('\u0000')) throw ArgumentError.value(text, 'text', 'has a zero in it');
    return _bytes(arena, utf8.encode(text)).cast();
  }
}
