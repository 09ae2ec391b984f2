<?php

namespace Shelf\Archive;

/** Kinds of audio that the player knows. */
final class Mime
{
    private const BY_SUFFIX = [
        'mp3' => 'audio/mpeg',
        'm4a' => 'audio/mp4',
        'opus' => 'audio/ogg; codecs=opus',
    ];

    public const UNKNOWN = 'application/octet-stream';

    public static function of(string $path): string
    {
        $suffix = strtolower(pathinfo($path, PATHINFO_EXTENSION));

        return self::BY_SUFFIX[$suffix] ?? self::UNKNOWN;
    }

    public static function isAudio($path)
    {
        return str_starts_with(self::of($path), 'audio/');
    }

    /** @return list<string> with dots */
    public static function suffixes(): array
    {
        return array_map(fn ($name) => ".$name", array_keys(self::BY_SUFFIX));
    }
}
