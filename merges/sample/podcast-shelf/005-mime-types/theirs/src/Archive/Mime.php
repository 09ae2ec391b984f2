<?php

namespace Shelf\Archive;

/** Kinds of audio that the player knows. */
final class Mime
{
    private const BY_SUFFIX = [
        'mp3' => 'audio/mpeg',
        'm4a' => 'audio/mp4',
        'flac' => 'audio/flac',
    ];

    public const UNKNOWN = 'application/octet-stream';

    public static function of(string $path): string
    {
        $suffix = strtolower(substr($path, strrpos($path, '.') + 1));

        return self::BY_SUFFIX[$suffix] ?? self::UNKNOWN;
    }

    /** Whether a browser can play it. */
    public static function isAudio(string $path): bool
    {
        return str_starts_with(self::of($path), 'audio/');
    }

    /** @return list<string> */
    public static function suffixes(): array
    {
        return array_map(fn ($name) => ".$name", array_keys(self::BY_SUFFIX));
    }
}
